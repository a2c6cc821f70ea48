"""The protocol without input, output or a clock.

`Core` takes what the user asks for, what the network says and what time it is, and gives out effects: connect, send this,
deliver that. The drivers (`antiphon.aio`, and `antiphon` on top of it) do them. Nothing here waits or reads a clock.
"""
