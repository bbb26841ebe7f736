"""A fake of nats-py for the tests of the kit: the calls that the kit makes, and no others.

It speaks the protocol of NATS to a real server. Signatures, exceptions and behaviour are those of
nats-py 2.15. It cannot sign with a key and knows no TLS.
"""

IS_FAKE = True
