"""THE VIRTUAL MARKET IN AWS'S DIALECT.

Knows: how to serve the state of `spotward.sim` over HTTP as EC2, Auto Scaling, SQS and the Pricing API would, so that
boto3, the `aws` command and Spotward itself cannot tell the difference; moto's server answers the rest.
Must not know: the product that is being tested against it. Whatever is served here must be what AWS would serve,
not what Spotward would like to hear. It binds the loopback address unless told otherwise.
Read first: `spotward.sim`, whose face this is; then `front`, where every request comes in, and `server`, which puts
the parts together. `dialect` is the wire, `site` a region, `queues` and `pricing` services of our own, `bus` the way of
events into queues, `stage` an account with something in it.
"""
