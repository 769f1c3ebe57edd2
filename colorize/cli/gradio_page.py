"""The page that `colorize app` serves, in Gradio: photographs in, networks side by side, files out."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from colorize.cli.page_results import Results, Update
from colorize.cli.page_settings import Settings, check_setting, refusal, told_to_visitors
from colorize.cli.session_files import report_rows
from colorize.cli.sessions import LoadedNetwork, Session, Step
from colorize.imaging.guidance import REACH
from colorize.utils.console import counted

TITLE = "Colour your photographs"
INTRODUCTION = f"""# {TITLE}
Colours are what a network finds plausible; nobody knows whether they are true. Photographs go to no other computer than
the one that serves this page, and are deleted when it ends, at the latest a day after you left."""
PREDICTED = "Colour is predicted at about %d pixels of the shorter side and laid over the full-size photograph."
QUEUE = 32  # requests that wait while one is painted
Upload = dict[str, Any]  # as Gradio's `FileData`: its path, and more
KEPT = 24 * 60 * 60  # seconds: uploads of visitors who never left are deleted after a day


def say_refusals(paint: Callable[..., Iterator[Update]]) -> Callable[..., Iterator[Update]]:
    """A method of `Page` that also says in the status what the toast of a `gr.Error` says, which goes."""

    @wraps(paint)
    def painted(page: "Page", *asked: Any) -> Iterator[Update]:
        try:
            yield from paint(page, *asked)
        except gr.Error as error:
            yield {page.status: f"Nothing is painted. {error.message}"}
            raise

    return painted


def count_earlier(session: Session) -> int:
    """How many pictures by the networks of the last round are from an earlier one."""
    last = session.folder / str(session.rounds)
    return len({
        (name, each.network) for name, _, each in session.paintings()
        if each.network in session.networks and last not in each.file.parents
    })  # fmt: skip


class Page:
    """Builds the page for `networks`; `defaults` are the options of `colorize paint` for what nobody is asked."""

    def __init__(self, networks: Mapping[str, LoadedNetwork], defaults: Namespace):
        self.networks, self.defaults = dict(networks), defaults

    def build(self) -> gr.Blocks:
        with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
            self.session = gr.State(None, delete_callback=lambda held: held and held.close())
            gr.Markdown(INTRODUCTION)
            with gr.Row():
                with gr.Column(scale=1, min_width=300):
                    self.add_request()
                with gr.Column(scale=2, min_width=300):
                    self.results = Results(self.defaults.reach)
            self.connect()
        page.queue(max_size=QUEUE)
        return page

    def add_request(self) -> None:
        names = list(self.networks)
        self.photographs = gr.File(file_count="multiple", label="Photographs", height=180)
        self.chosen = gr.CheckboxGroup(names, value=names[:1], label="Networks", visible=len(names) > 1)
        about = [f"**{name}**: {each.description}. {PREDICTED % each.size}" for name, each in self.networks.items()]
        gr.Markdown("\n\n".join(about), elem_classes="small")
        with gr.Row():
            self.start = gr.Button("Colour", variant="primary", min_width=100)
            self.stop = gr.Button("Stop", min_width=60, interactive=False)
            self.undo = gr.Button("Undo", min_width=60, interactive=False, elem_id="undo")
        self.status = gr.Markdown(elem_id="status")
        with gr.Accordion("Settings", open=False):
            self.settings = Settings(self.defaults, any(each.model.stochastic for each in self.networks.values()))

    def connect(self) -> None:
        """Lets visitors paint, and programs by `paint_files`."""
        results, settings = self.results, [self.chosen, *self.settings.components]
        self.asked = [*settings, results.reach]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        alone: dict[str, Any] = {"concurrency_id": "paint", "concurrency_limit": 1}
        seen = hidden | alone | {"show_progress": "full", "show_progress_on": self.status}
        looked_at = [self.session, results.photograph, results.right]
        told = [*results.components, self.status, self.stop, self.undo]
        drawn = [*looked_at, results.editor]
        painted = self.start.click(
            self.paint_and_show, [*drawn, self.photographs, *self.asked], [self.session, *told], **seen
        )
        hinted = results.hint.click(self.paint_hints, [*drawn, *self.asked], told, **seen)
        for event in (painted, hinted):
            sides = [self.session, results.photograph, results.left, results.right]
            event.success(results.choose_again, sides, [*results.compared, *results.choices], **hidden)
        self.stop.click(self.stop_painting, self.session, self.stop, **hidden)
        self.undo.click(self.step_back, looked_at, [*told, *self.asked], trigger_mode="multiple", **hidden)
        results.connect(self.session, **hidden)
        given = [self.session, self.photographs, *settings, gr.File(visible=False), results.reach]
        files, lines = gr.File(file_count="multiple", visible=False), gr.JSON(visible=False)
        gr.Button(visible=False).click(
            self.paint_files, given, [self.session, files, lines], api_name="paint", preprocess=False, **alone
        )

    def request(self, chosen: list[str], *settings: Any) -> tuple[dict[str, LoadedNetwork], Namespace]:
        """The networks and the options; raises `gr.Error`, which the page shows, for what cannot be."""
        if not chosen:
            raise refusal("Choose a network first")
        return {name: self.networks[name] for name in chosen}, self.settings.options(*settings)

    def start_painting(
        self, held: Session | None, photographs: list[str] | None, *asked: Any, hints: str | None = None
    ) -> tuple[Session, Iterator[Step]]:
        """Raises `gr.Error` where something is not chosen or cannot be."""
        if not photographs:
            raise refusal("Add a photograph first")
        networks, options = self.request(*asked)
        options.hints = Path(hints) if hints else None
        with told_to_visitors():
            session = held or Session(self.status.GRADIO_CACHE)  # what lies there is shown without a copy of it
            steps = session.paint(photographs, networks, options)
        session.settings = asked
        return session, steps

    @say_refusals
    def paint_and_show(
        self, held: Session | None, shown: str | None, right: str | None, drawn: dict[str, Any] | None,
        photographs: list[str] | None, *asked: Any,
    ) -> Iterator[Update]:  # fmt: skip
        """Paint what was asked for, with its hints, and show the first photograph as soon as it is there, unless one of
        them is looked at."""
        if held and drawn and shown in held.results:
            with told_to_visitors():
                held.brush(shown, drawn["layers"])
        session, steps = self.start_painting(held, photographs, *asked)
        for update in self.follow(session, steps, shown if shown in session.results else None, right):
            yield {self.session: session} | update

    @say_refusals
    def paint_hints(
        self, session: Session | None, shown: str | None, right: str | None, drawn: dict[str, Any] | None, *asked: Any
    ) -> Iterator[Update]:
        """Paint the photograph that is shown, with what is brushed onto it."""
        if session is None or shown not in session.results or not drawn:
            raise refusal("Colour a photograph first")
        networks, options = self.request(*asked)
        with told_to_visitors():
            steps = session.repaint(shown, drawn["layers"], networks, options)
        session.settings = asked
        yield from self.follow(session, steps, shown, right)

    def follow(self, session: Session, steps: Iterator[Step], shown: str | None, right: str | None) -> Iterator[Update]:
        """What the page shows after each step: at first a photograph, then, so that nothing is taken from who looks at
        it, only what more there is to choose from."""
        painted, failures = 0, []
        for step in steps:
            if step.failure:
                failures.append(step.failure)
                gr.Warning(escape(step.failure))
            painted += step.painted is not None
            said = f"{step.done + 1} of {step.of}: {escape(step.coming)}" if step.coming else ""
            update = {
                self.status: said,
                self.stop: gr.Button(interactive=True),
                self.undo: gr.Button(interactive=False),
            }
            if step.painted and painted == 1:
                update |= self.results.show_all(session, shown, right)
                shown = shown or next(iter(session.results), None)
            elif step.painted:
                update |= self.results.show_choices(session, shown)
            yield update
        counts = [f"{counted(painted, 'picture')} painted"]
        if session.stopped:
            counts = [f"Stopped: {painted} of {counted(step.of, 'picture')} painted"]
            kept = count_earlier(session)
            counts += [f"{kept} {'keeps its' if kept == 1 else 'keep their'} earlier colours"] if kept else []
        said = "; ".join([*counts, *map(escape, failures)])
        shown_now = {} if painted else self.results.show_all(session, shown, right)
        yield shown_now | self.results.show_archive(session) | {
            self.status: said,
            self.stop: gr.Button(interactive=False), self.undo: gr.Button(interactive=True),
        }  # fmt: skip

    def stop_painting(self, session: Session) -> gr.Button:
        """After the picture that is being painted. Gradio's own `cancels` leaves runs behind that go on, and errors."""
        session.stopped = True
        return gr.Button(interactive=False)

    def paint_files(
        self, held: Session | None, photographs: list[Upload], networks: list[str], size: str | int, strength: float,
        max_chroma: float, samples: int, seed: int, format: str, reference: Upload | None = None,
        confidence: bool = False, hints: Upload | None = None, reach: float = REACH,
    ) -> tuple[Session, list[str], dict[str, list[str]]]:  # fmt: skip
        """The painted files, each called as its photograph, in the order of the photographs and for each in that of the
        networks; and what was said: of the painted ones, and of those that could not be.

        networks are names that the page shows; size is that of the prediction in pixels of the shorter side, auto or
        as trained; strength is a factor on chroma, max_chroma its bound in CIE units (150: none); samples and seed are
        of stochastic networks; format is png, jpg, tif or webp, or of 16 bits a sample png16 or tif16; reference is a
        photograph in colour; hints are a file as of `colorize paint --hints`, for one photograph, and reach is as of
        `--reach`. With confidence, the files of a network end with its map, NAME.confidence.png.
        """
        if held:
            held.results = {}
        paths = [each["path"] for each in photographs or ()]
        if hints and len(paths) != 1:
            raise refusal("Hints go with one photograph")
        likeness = reference["path"] if reference else None
        asked = (networks, size, strength, max_chroma, samples, seed, format, likeness, confidence, reach)
        for component, value in zip(self.asked, asked, strict=True):  # Gradio would say that it failed, not why
            check_setting(component, value)
        session, steps = self.start_painting(held, paths, *asked, hints=hints["path"] if hints else None)
        failures = [step.failure for step in steps if step.failure]
        files, rows = [str(painting.file) for _, _, painting in session.paintings()], report_rows(session.paintings())
        painted = [f"{name}, {label}: {said}" for name, label, said in rows]
        return session, files, {"painted": painted, "failed": failures}

    def step_back(self, session: Session, shown: str | None, right: str | None) -> Update:
        session.undo()
        return {
            **self.results.show_all(session, shown, right),
            **self.results.show_archive(session),
            **dict(zip(self.asked, session.settings, strict=False)),  # there are none before the first painting
            self.status: "Undone: photographs and settings are as before; strokes of hints stay.",
            self.undo: gr.Button(interactive=bool(session.earlier)),
        }
