"""How a client behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How a client behaves; durations are seconds."""

    #: How long a request may take, reconnects included.
    request_timeout: float = 30.0
    #: How long one attempt to connect may take.
    attempt_timeout: float = 10.0
    #: The first delay before another attempt, and the longest.
    backoff_min: float = 0.5
    backoff_max: float = 30.0
    #: After so long without a message the server is asked for a sign of life, which may take so long.
    heartbeat_interval: float = 25.0
    heartbeat_timeout: float = 10.0
    #: How many requests may wait for their answers, and how long they may be together (characters of JSON).
    queue_max: int = 10_000
    queue_bytes_max: int = 16 * 1024 * 1024
    #: No message may be longer. The server's setting of the same name, which has this default.
    message_bytes_max: int = 1024 * 1024 + 4096

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} has to be more than 0, not {value!r}")
