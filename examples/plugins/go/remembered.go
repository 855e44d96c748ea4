package main

import (
	"sync"

	"say-hello/wire"
)

const answersMax = 20_000

// remembered gives one effect to each idempotency key: who asks while the work is under way waits for its answer, and
// who asks after a success gets the same answer again. What was not done may be tried again.
type remembered struct {
	mutex sync.Mutex
	known map[string]*entry
	order []string
}

type entry struct {
	done   chan struct{}
	result *wire.Result
}

func newRemembered() *remembered {
	return &remembered{known: map[string]*entry{}}
}

func (r *remembered) once(key string, work func() *wire.Result) *wire.Result {
	if key == "" {
		return work()
	}
	r.mutex.Lock()
	if each, ok := r.known[key]; ok {
		r.mutex.Unlock()
		<-each.done
		return each.result
	}
	each := &entry{done: make(chan struct{}), result: answer(wire.Result_STATUS_FAILED, "the work broke off")}
	r.known[key] = each
	r.mutex.Unlock()
	defer r.settle(key, each)
	each.result = work()
	return each.result
}

func (r *remembered) settle(key string, each *entry) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if each.result.Status == wire.Result_STATUS_DONE || each.result.Status == wire.Result_STATUS_IGNORED {
		r.order = append(r.order, key)
		if len(r.order) > answersMax {
			delete(r.known, r.order[0])
			r.order = r.order[1:]
		}
	} else {
		delete(r.known, key)
	}
	close(each.done)
}
