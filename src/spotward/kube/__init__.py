"""A KUBERNETES CLUSTER, SEEN AND TOUCHED.

Knows: the API server's dialect: where it is and who we are (kubeconfig or service account), how to follow nodes, pods,
budgets and volume attachments, how to cordon, taint, label, evict and delete, what each answer means, who leads, and
how a journal is kept there (`store`).
Must not know: why something is wanted. It observes and acts; it never decides.
Read first: `client`, then `watch`, `nodes` and `pods`; apart from these `store`, then `journal_log`. What it reads of
nodes and pods ends as the values of `model.cluster`.
"""
