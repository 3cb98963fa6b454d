"""Watch: notes what no page may do: call another host, break the content security policy, or raise a script
error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

# The browser logs each refused form as an error, but a refused form is not an error of the page.
REFUSED = tuple(f"responded with a status of {code}" for code in (403, 409, 422))
# A browser that leaves a page aborts a request that is under way, for example a poll. htmx logs that with two
# events; for another failure it logs htmx:sendError or htmx:timeout instead of htmx:sendAbort.
LEFT = ("htmx:sendAbort", "htmx:afterRequest, ")


@dataclass
class Watch:
    """Notes what goes wrong in the browsers that it follows."""

    origin: str
    noted: list[str] = field(default_factory=list)
    pages: set[str] = field(default_factory=set)

    def follow(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", self._error)

    def _request(self, request: Request) -> None:
        if request.url.startswith(f"{self.origin}/"):
            self.pages.add(request.url.removeprefix(self.origin))
        elif not request.url.startswith("data:"):
            self.noted.append(f"called another host: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(
            words in message.text for words in (*REFUSED, *LEFT)
        ):
            self.noted.append(f"console {message.type}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.noted.append(f"script: {error.error}")
