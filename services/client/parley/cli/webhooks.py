"""`parley webhooks`: deliveries of the ends of jobs and batches."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Annotated, Any

import typer

from parley.cli.changes import apply
from parley.cli.durations import age, format_duration
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import Terminal
from parley.tenant import Delivery

COLUMNS = ("ID", "STATE", "ATTEMPTS", "OUTCOME", "AGE", "URL")
SECRET_BYTES = 32
LARGEST_BODY = 64 * 1024  # bytes; a delivery has less than one kilobyte
RESENT = "will be sent again"

webhooks_app = typer.Typer(
    help="List or resend deliveries, or receive them here.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)


class DeliveryState(StrEnum):
    """The states of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


StateOption = Annotated[DeliveryState | None, typer.Option("--state", help="Only deliveries in this state.")]
JobOption = Annotated[str | None, typer.Option("--job", metavar="ID", help="Only deliveries of this job.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, metavar="N", help="Largest number of deliveries.")]
Deliveries = Annotated[list[str], typer.Argument(metavar="DELIVERY", help="Ids of deliveries.", show_default=False)]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port to listen on.")]
SecretOption = Annotated[
    str | None,
    typer.Option(
        "--secret",
        envvar="PARLEY_WEBHOOK_SECRET",
        metavar="SECRET",
        help="The secret that the server signs with; by default signatures are not checked.",
        show_default=False,
    ),
]


@webhooks_app.callback()
def webhooks(
    ctx: typer.Context,
    state: StateOption = None,
    job: JobOption = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, those of the newest ends first.

    A delivery sends the end of a job or of a batch to the callback URL of its submit.
    """
    if ctx.invoked_subcommand is not None:
        return
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.deliveries(state=state, job_id=resolve(parley, job) if job else None, limit=limit)
    terminal.print_list(found, COLUMNS, map(_row, found), ("URL",), as_json, "No deliveries.")


def _row(delivery: Delivery) -> tuple[str, ...]:
    age_text = format_duration(age(delivery.ended_at))
    return delivery.id, delivery.state, str(delivery.attempts), delivery.outcome or "", age_text, delivery.url


@webhooks_app.command()
def resend(ctx: typer.Context, deliveries: Deliveries, as_json: AsJson = False) -> None:
    """Send deliveries once more, under the same ids."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        apply(terminal, deliveries, lambda delivery_id: parley.resend(delivery_id).document, RESENT, as_json)


@webhooks_app.command()
def secret(ctx: typer.Context) -> None:
    """Make a new secret and print it.

    An operator adds it to the server's file of webhook secrets; the receiver verifies deliveries with it.
    """
    made = b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    terminal_of(ctx).print_text(f"whsec_{made}\n")


@webhooks_app.command()
def listen(ctx: typer.Context, port: Port = 8099, secret: SecretOption = None, as_json: AsJson = False) -> None:
    """Receive deliveries on this machine and print them, until Ctrl-C.

    For development: the server must be allowed to deliver to 127.0.0.1 (PARLEY_WEBHOOK_NETWORKS=127.0.0.1/32).
    """
    terminal = terminal_of(ctx)
    server = HTTPServer(("127.0.0.1", port), _handler(terminal, secret, as_json))
    terminal.say(f"Listening: submit with the callback URL http://127.0.0.1:{server.server_port}/")
    with server:
        server.serve_forever()


def _handler(terminal: Terminal, secret: str | None, as_json: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            body = self.rfile.read(min(int(length), LARGEST_BODY)) if length.isdecimal() else b""
            refused = _refusal(body, dict(self.headers.items()), secret)
            self.send_response(401 if refused else 204)
            self.end_headers()
            if refused:
                terminal.say(f"Refused: {refused}", "red")
            else:
                _show(terminal, self.headers.get("webhook-id", ""), json.loads(body), as_json)

        def log_message(self, *_: object) -> None:
            """Deliveries are printed, requests are not."""

    return Handler


def _refusal(body: bytes, headers: dict[str, str], secret: str | None) -> str | None:
    """Return why a request is not a delivery of the server, None if it is one."""
    from standardwebhooks import Webhook, WebhookVerificationError

    try:
        if secret is not None:
            Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
        if not isinstance(json.loads(body), dict):
            return "the body is no JSON object"
    except WebhookVerificationError:
        return "the signature does not verify with this secret"
    except ValueError:
        return "the body is no JSON, or the secret is none"
    return None


def _show(terminal: Terminal, delivery_id: str, document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        terminal.print_text(json.dumps(document) + "\n")
    else:
        job = document.get("data", {})
        terminal.print_text(f"{document.get('type')}  {job.get('id')}  {delivery_id}\n")
    terminal.out.file.flush()
