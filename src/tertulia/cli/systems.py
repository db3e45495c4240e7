"""`tertulia systems`: what there is to choose from."""

from __future__ import annotations

from tertulia.cli._terminal import put_table

__all__ = ["systems"]


def systems() -> int:
    """List the systems, with where their weights come from."""
    from tertulia.systems import available

    rows = [
        [" ".join(text.split()) for text in (system.name, system.summary, system.weights)]
        for system in available()
    ]
    piped = "".join("\t".join(row) + "\n" for row in rows)
    put_table(("system", "what it is", "weights"), rows, piped)
    return 0
