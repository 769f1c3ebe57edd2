"""The verb `app`: a page for people with photographs, served on this machine by Gradio."""

import os
import signal
import socket
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from importlib.util import find_spec
from shutil import disk_usage
from threading import Event
from typing import Any

from colorize.cli.options import parse_arguments
from colorize.cli.sessions import LoadedNetwork, load_networks
from colorize.utils.console import say
from colorize.utils.errors import UserError

CSS = """
.gradio-container { max-width: 1280px !important; margin: auto }
#side-by-side .grid-wrap { min-height: 0; max-height: none; height: auto }
#side-by-side .grid-container { height: auto; grid-auto-rows: auto; align-content: start }
#side-by-side .thumbnail-item { aspect-ratio: auto }
#side-by-side, #before-after { background: transparent }
#side-by-side .caption-label { max-width: 100%; white-space: normal; overflow-wrap: anywhere }
#status { padding: 0.5rem 0 }
.wrap:has(> span.error) { display: none } /* a toast says it, and the photographs stay to be looked at */
#status:not(:has(p)):has(> .wrap.hide) { display: none }
.scale { display: inline-block; width: 7rem; height: 0.75rem; margin: 0 0.25rem; border: 1px solid #8888 }
#nothing { min-height: 18rem; display: grid; place-content: center; text-align: center; opacity: 0.7 }
.small, .small * { font-size: 0.875rem }
input[role=combobox] { text-overflow: ellipsis; padding-right: 1.5rem !important }
.prose table { width: 100% }
.prose:has(table) { overflow-x: auto }
.prose td { overflow-wrap: anywhere }
.prose :is(td, th) { padding: 0.5rem 0.25rem !important }
.prose :is(table, tr, td, th) { border: 0 !important }
.prose :is(td, th) { border-bottom: 1px solid var(--border-color-primary) !important }
#hints .toolbar-wrap { left: 0 } /* in the 30 pixels that Gradio leaves around the photograph */
footer { display: none !important }
@media (max-width: 640px) {
  #side-by-side .grid-container { grid-template-columns: 1fr 1fr !important }
  #hints .pixi-target { width: calc(100% + 26px); clip-path: inset(0 26px 0 0) }
}
"""
RESERVE = 64 * 2**20  # bytes of the disk that uploads leave free
NOT_STORED = "Nothing is uploaded"
WORDS = {"common.upload": "Upload", "common.complete": "Complete"}  # which Gradio asks for and has in no language
FONT = "IBM Plex Sans"  # of its half-bold letters Gradio lacks many


def app(args: Namespace) -> int:
    """Serve the page until Ctrl-C; the exit status."""
    check_port(args.host, args.port)
    networks = load_networks(args.weights, args.trust, args.device)
    with tempfile.TemporaryDirectory(prefix="colorize-uploads-") as uploads:
        keep_to_this_machine(uploads)
        page = launch(networks, args.host, args.port, args.max_upload, browser=args.open)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what visitors left is deleted
        say(f"{', '.join(networks)} at {page.local_url} (Ctrl-C ends it)")
        try:
            Event().wait()
        except KeyboardInterrupt:
            page.close(verbose=False)
    return 0


def launch(networks: Mapping[str, LoadedNetwork], host: str, port: int, megabytes: int, browser: bool = False) -> Any:
    """The page (`gradio.Blocks`), served by a thread; photographs have at most so many megabytes."""
    if find_spec("gradio") is None:
        raise UserError("the page needs the package gradio: pip install 'gradio>=6'")
    # What the server's thread imports else, which gets 5 s to start
    import uvicorn.lifespan.on
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.auto  # noqa: F401
    from gradio import I18n
    from starlette.middleware import Middleware

    from colorize.cli.gradio_page import Page

    page = Page(networks, paint_defaults()).build()
    guard = Middleware(UploadGuard, folder=page.GRADIO_CACHE)
    try:
        page.launch(
            server_name=host, server_port=port, share=False, inbrowser=browser, quiet=True, prevent_thread_lock=True,
            max_file_size=f"{megabytes}mb", footer_links=[], css=CSS, theme=calm_theme(), enable_monitoring=False,
            ssr_mode=False, mcp_server=False, pwa=False, app_kwargs={"middleware": [guard]}, i18n=I18n(en=WORDS),
        )  # fmt: skip
    except OSError as error:
        raise UserError(
            f"the page's server has not started at port {port} of {host}: the machine is too busy, or another program "
            "has just taken the port; try again, or give another --port"
        ) from error
    return page


class UploadGuard:
    """Refuses, in one sentence, uploads for which the disk is full; what is in work then still finds room on it.

    An ASGI middleware: gradio deletes the pieces of an upload that ends with a `MultiPartException`, and tells visitors
    what it says.
    """

    def __init__(self, app: Any, folder: str):
        self.app, self.folder = app, folder

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        from starlette.formparsers import MultiPartException
        from starlette.responses import PlainTextResponse

        async def receive_if_room() -> Any:
            message = await receive()
            if disk_usage(self.folder).free < RESERVE + len(message.get("body", b"")):
                raise MultiPartException(f"{NOT_STORED}: the disk of the page is full")
            return message

        is_upload = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/upload")
        try:
            await self.app(scope, receive_if_room if is_upload else receive, send)
        except OSError as error:  # of a disk that has room, but not for this user
            if not is_upload:
                raise
            await PlainTextResponse(f"{NOT_STORED}: {error.strerror}", 507)(scope, receive, send)


def calm_theme() -> Any:
    """Gradio's own, in colours that leave the photographs to be looked at, with a font that it has."""
    from gradio.themes import Default, LocalFont

    sans = (LocalFont(FONT, weights=(400, 700)), "system-ui", "sans-serif")
    accent = "*primary_700"
    return Default(primary_hue="teal", neutral_hue="stone", font=sans, font_mono=sans).set(
        body_background_fill="*neutral_50", color_accent=accent, slider_color=accent, link_text_color=accent,
        checkbox_background_color_selected=accent, checkbox_border_color_selected=accent,
        button_primary_background_fill=accent, button_primary_background_fill_hover="*primary_800",
        button_large_text_weight="400", block_info_text_color="*neutral_600",
    )  # fmt: skip


def paint_defaults() -> Namespace:
    """The options of `colorize paint` as they are where none is given."""
    return parse_arguments("paint", "paint", ["photograph", "-o", "folder"])


def check_port(host: str, port: int) -> None:
    """Raises `UserError` where nothing can be served at this address."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise UserError(f"there is no address {host!r}: give --host 127.0.0.1, or one of this machine's") from error
    except OSError as error:
        raise UserError(f"port {port} of {host} cannot be used ({error.strerror}): give another --port") from error


def keep_to_this_machine(uploads: str) -> None:
    """Tell Gradio, which reads this when it is imported, to send nothing to anyone and to keep nothing behind."""
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False",
        "GRADIO_TEMP_DIR": uploads,
    }  # fmt: skip
    for name in ("no_proxy", "NO_PROXY"):  # Gradio asks its own server whether it is there
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))
