"""The page that `colorize app` serves, in Gradio: photographs in, networks side by side, files out."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from colorize.cli.page_results import Results, Update
from colorize.cli.page_settings import KINDS, Settings, refusal, told_to_visitors
from colorize.cli.session_files import report_rows
from colorize.cli.sessions import LoadedNetwork, Session, Step
from colorize.utils.console import counted

TITLE = "Colour your photographs"
INTRODUCTION = f"""# {TITLE}
Colours are what a network finds plausible; nobody knows whether they are true. Photographs go to no other computer than
the one that serves this page, and are deleted when it ends, at the latest a day after you left."""
QUEUE = 32  # requests that wait while one is painted
KEPT = 24 * 60 * 60  # seconds: uploads of visitors who never left are deleted after a day


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
                    self.results = Results()
            self.connect()
        page.queue(max_size=QUEUE)
        return page

    def add_request(self) -> None:
        names = list(self.networks)
        self.photographs = gr.File(file_count="multiple", file_types=KINDS, label="Photographs", height=180)
        self.chosen = gr.CheckboxGroup(names, value=names[:1], label="Networks")
        about = [f"- **{name}**: {each.description}" for name, each in self.networks.items()]
        gr.Markdown("\n".join(about), elem_classes="small")
        with gr.Row():
            self.start = gr.Button("Colour", variant="primary", min_width=100)
            self.stop, self.undo = gr.Button("Stop", min_width=60), gr.Button("Undo", min_width=60, elem_id="undo")
        self.status = gr.Markdown(elem_id="status")
        with gr.Accordion("Settings", open=False):
            self.settings = Settings(self.defaults, any(each.model.stochastic for each in self.networks.values()))

    def connect(self) -> None:
        """Lets visitors paint, and programs by `paint_files`."""
        results, settings = self.results, [self.chosen, *self.settings.components]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        alone: dict[str, Any] = {"concurrency_id": "paint", "concurrency_limit": 1}
        seen = hidden | alone | {"show_progress": "full", "show_progress_on": [self.status, results.slider]}
        told = [*results.components, self.status]
        asked = [self.session, results.right, self.photographs, *settings]
        painted = self.start.click(self.paint_and_show, asked, [self.session, *told], **seen)
        drawn = [self.session, results.right, results.photograph, results.editor, *settings]
        hinted = results.hint.click(self.paint_hints, drawn, told, **seen)
        for event in (painted, hinted):
            looked_at = [self.session, results.photograph, results.left, results.right]
            event.success(results.choose_again, looked_at, [*results.compared, *results.choices], **hidden)
        self.stop.click(self.show_stopped, [self.session], told, cancels=[painted, hinted], **hidden)
        self.undo.click(self.step_back, [self.session], told, **hidden)
        results.connect(self.session, **hidden)
        given = [self.session, self.photographs, *settings, gr.File(visible=False)]
        files, lines = gr.File(file_count="multiple", visible=False), gr.JSON(visible=False)
        gr.Button(visible=False).click(self.paint_files, given, [self.session, files, lines], api_name="paint", **alone)

    def networks_of(self, chosen: list[str]) -> dict[str, LoadedNetwork]:
        if not chosen:
            raise refusal("Choose a network first")
        return {name: self.networks[name] for name in chosen}

    def start_painting(
        self, held: Session | None, photographs: list[str] | None, chosen: list[str], *settings: Any,
        hints: str | None = None,
    ) -> tuple[Session, Iterator[Step]]:  # fmt: skip
        """Raises `gr.Error`, which the page shows, where something is not chosen or cannot be."""
        if not photographs:
            raise refusal("Add a photograph first")
        networks, options = self.networks_of(chosen), self.settings.options(*settings)
        options.hints = Path(hints) if hints else None
        with told_to_visitors():
            session = held or Session(self.status.GRADIO_CACHE)  # what lies there is shown without a copy of it
            return session, session.paint(photographs, networks, options)

    def paint_and_show(
        self, held: Session | None, right: str | None, *request: Any, progress=gr.Progress()  # noqa: B008
    ) -> Iterator[Update]:  # fmt: skip
        """Paint what was asked for, and show the first photograph as soon as it is there."""
        session, steps = self.start_painting(held, *request)
        for update in self.follow(session, steps, progress, None, right):
            yield {self.session: session} | update

    def paint_hints(
        self, session: Session | None, right: str | None, photograph: str | None, drawn: dict[str, Any] | None,
        chosen: list[str], *settings: Any, progress=gr.Progress(),  # noqa: B008
    ) -> Iterator[Update]:  # fmt: skip
        """Paint the photograph that is shown, with what is brushed onto it; the brush strokes stay."""
        if session is None or photograph not in session.results or not drawn:
            raise refusal("Colour a photograph first")
        networks, options = self.networks_of(chosen), self.settings.options(*settings)
        with told_to_visitors():
            steps = session.repaint(photograph, drawn["layers"], networks, options)
        for update in self.follow(session, steps, progress, photograph, right):
            update.pop(self.results.editor, None)
            yield update

    def follow(
        self, session: Session, steps: Iterator[Step], progress: gr.Progress, photograph: str | None, right: str | None
    ) -> Iterator[Update]:
        """What the page shows after each step: at first a photograph, by default the first one painted, then, so that
        nothing is taken from who looks at it, only what more there is to choose from."""
        painted, failures = 0, []
        for step in steps:
            progress((step.done, step.of), desc=step.coming, unit="pictures")
            if step.failure:
                failures.append(step.failure)
                gr.Warning(escape(step.failure))
            painted += step.painted is not None
            update = {self.status: ""}
            if step.painted and painted == 1:
                photograph = photograph or (step.painted if step.painted in session.results else None)
                update |= self.results.show_all(session, photograph, right)
            elif step.painted:
                update |= self.results.show_choices(session, photograph)
            yield update
        said = "; ".join([f"{counted(painted, 'picture')} painted", *map(escape, failures)])
        yield {self.status: said} | self.results.show_archive(session)

    def show_stopped(self, session: Session | None) -> Update:
        said = {self.status: "Stopped; what was painted stays."}
        return said | self.results.show_all(session) | self.results.show_archive(session) if session else said

    def paint_files(
        self, held: Session | None, photographs: list[str], networks: list[str], size: str | int, strength: float,
        max_chroma: float, samples: int, seed: int, format: str, reference: str | None = None,
        confidence: bool = False, hints: str | None = None,
    ) -> tuple[Session, list[str], dict[str, list[str]]]:  # fmt: skip
        """The painted files, each called as its photograph, in the order of the photographs and for each in that of the
        networks; and what was said: of the painted ones, and of those that could not be.

        networks are names that the page shows; size is that of the prediction in pixels of the shorter side, auto or
        as trained; strength is a factor on chroma, max_chroma its bound in CIE units (150: none); samples and seed are
        of stochastic networks; format is png, jpg, tif or webp; reference is a photograph in colour; hints are a file
        as of `colorize paint --hints`, for one photograph. With confidence, the files of a network end with its map,
        NAME.confidence.png.
        """
        if held:
            held.results = {}
        if hints and len(photographs or ()) != 1:
            raise refusal("Hints go with one photograph")
        settings = (size, strength, max_chroma, samples, seed, format, reference, confidence)
        session, steps = self.start_painting(held, photographs, networks, *settings, hints=hints)
        failures = [step.failure for step in steps if step.failure]
        files, rows = [str(painting.file) for _, _, painting in session.paintings()], report_rows(session.paintings())
        painted = [f"{name}, {label}: {said}" for name, label, said in rows]
        return session, files, {"painted": painted, "failed": failures}

    def step_back(self, session: Session | None) -> Update:
        if session is None or not session.earlier:
            raise refusal("There is nothing to undo")
        session.undo()
        return self.results.show_all(session) | self.results.show_archive(session) | {self.status: ""}
