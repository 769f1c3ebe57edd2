"""The page that `colorize app` serves, in Gradio: photographs in, networks side by side, files out."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import gradio as gr

from colorize.cli.paths import ENDINGS
from colorize.cli.sessions import BEFORE, LoadedNetwork, Session, Step
from colorize.imaging.image_io import FORMATS
from colorize.utils.errors import UserError

TITLE = "Colour your photographs"
INTRODUCTION = f"""# {TITLE}
Colours are what a network finds plausible; nobody knows whether they are true. Photographs go to no other computer than
the one that serves this page, and are deleted when it ends, at the latest a day after you left."""
QUEUE = 32  # requests that wait while one is painted
KEPT = 24 * 60 * 60  # seconds: uploads of visitors who never left are deleted after a day
BRUSH: list[Any] = ["#c8956c", "#7a4a2b", "#a33030", "#d9a441", "#4f7a3a", "#5b8fc4", "#2f4a7d", "#8a6fa8"]
LARGEST_SAMPLES, LARGEST_SIZE = 8, 2048
UNBOUNDED = 150  # CIE units of chroma, which no colour of sRGB has
Update = dict[Any, Any]  # component -> its new value or properties


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
                    self.add_settings()
                with gr.Column(scale=2, min_width=300):
                    self.add_results()
            self.connect()
        page.queue(max_size=QUEUE)
        return page

    def add_settings(self) -> None:
        names, draws = list(self.networks), any(each.model.stochastic for each in self.networks.values())
        kinds = ["image", *ENDINGS]
        self.photographs = gr.File(file_count="multiple", file_types=kinds, label="Photographs", height=180)
        self.chosen = gr.CheckboxGroup(names, value=names[:1], label="Networks")
        gr.Markdown("\n".join(f"- **{name}**: {each.description}" for name, each in self.networks.items()))
        with gr.Accordion("Settings", open=False):
            said = "Pixels of the shorter side; 0: the size that each network was trained at."
            self.size = gr.Number(0, precision=0, label="Size of the prediction", info=said)
            said = "Of the colours: 0 is grey, 1 as predicted."
            self.strength = gr.Slider(0, 1.5, 1, step=0.05, label="Strength", info=said)
            said = f"CIE units, to which stronger colours are reduced; {UNBOUNDED}: no limit."
            self.max_chroma = gr.Slider(0, UNBOUNDED, UNBOUNDED, step=5, label="Saturation limit", info=said)
            self.format = gr.Dropdown(sorted({*FORMATS} - {"jpeg", "tiff"}), value="png", label="Format of the files")
            said = "Colourings of each photograph, to choose from."
            self.samples = gr.Slider(1, LARGEST_SAMPLES, 1, step=1, label="Samples", info=said, visible=draws)
            self.seed = gr.Number(0, precision=0, label="Seed of the samples", visible=draws)
        with gr.Row():
            self.start = gr.Button("Colour", variant="primary", min_width=100)
            self.stop, self.undo = gr.Button("Stop", min_width=60), gr.Button("Undo", min_width=60, elem_id="undo")
        self.status = gr.Markdown(elem_id="status")

    def add_results(self) -> None:
        with gr.Row():
            self.photograph = gr.Dropdown([], label="Photograph", min_width=200)
            self.left, self.right = (gr.Dropdown([], label=side, min_width=130) for side in ("Left", "Right"))
        self.slider = gr.ImageSlider(
            type="filepath", show_label=False, interactive=False, buttons=["fullscreen"], max_height=640,
            elem_id="before-after",
        )  # fmt: skip
        self.gallery = gr.Gallery(
            show_label=False, columns=3, height="auto", allow_preview=False, visible=False, interactive=False,
            buttons=[], elem_id="side-by-side",
        )  # fmt: skip
        with gr.Accordion("Hints: brush colours that you know onto the photograph", open=False, elem_id="hints"):
            self.editor = gr.ImageEditor(
                type="pil", sources=(), transforms=(), layers=False, brush=gr.Brush(colors=BRUSH), format="png",
                show_label=False, buttons=[],
            )  # fmt: skip
            self.hint = gr.Button("Colour with these hints")
        with gr.Row():
            self.file = gr.DownloadButton("Download what is on the right", interactive=False)
            self.archive = gr.DownloadButton("Download all (ZIP)", interactive=False)
        self.report = gr.Dataframe(
            headers=["photograph", "network", "size, time and notes"], datatype="str", interactive=False, wrap=True,
            visible=False, label="Report", column_widths=["30%", "25%", "45%"],
        )  # fmt: skip

    def connect(self) -> None:
        shown = [self.photograph, self.left, self.right, self.slider, self.gallery, self.file, self.editor]
        settings = [self.size, self.strength, self.max_chroma, self.samples, self.seed, self.format]
        asked, told = [self.photographs, self.chosen, *settings], [*shown, self.archive, self.report, self.status]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        alone: dict[str, Any] = {"concurrency_id": "paint", "concurrency_limit": 1}
        seen = hidden | alone | {"show_progress": "full", "show_progress_on": [self.status, self.slider]}
        painted = self.start.click(self.paint_and_show, [self.session, *asked], [self.session, *told], **seen)
        drawn = [self.session, self.photograph, self.editor, self.chosen, *settings]
        hinted = self.hint.click(self.paint_hints, drawn, told, **seen)
        self.stop.click(self.show_stopped, [self.session], told, cancels=[painted, hinted], **hidden)
        self.undo.click(self.step_back, [self.session], told, **hidden)
        self.photograph.input(self.choose, [self.session, self.photograph], shown, **hidden)
        sides = [self.session, self.photograph, self.left, self.right]
        for side in (self.left, self.right):
            side.input(self.show, sides, [self.slider, self.file], **hidden)
        self.gallery.select(self.take, sides[:3], [self.right, self.slider, self.file], **hidden)
        files, lines = gr.File(file_count="multiple", visible=False), gr.JSON(visible=False)
        gr.Button(visible=False).click(
            self.paint_files, [self.session, *asked], [self.session, files, lines], api_name="paint", **alone
        )

    def options(self, size: int, strength: float, max_chroma: float, samples: int, seed: int, kind: str) -> Namespace:
        """Those of `colorize paint`. Raises `gr.Error` for a size that cannot be."""
        size = size or 0  # None: the field is empty
        if size < 0 or size > LARGEST_SIZE:
            raise refusal(f"The size is {size}; it must be between 1 and {LARGEST_SIZE}, or 0 for the network's own")
        given = {"size": size, "samples": samples, "seed": seed or 0, "format": kind, "strength": strength}
        return Namespace(**vars(self.defaults) | given | {"max_chroma": max_chroma if max_chroma < UNBOUNDED else None})

    def networks_of(self, chosen: list[str]) -> dict[str, LoadedNetwork]:
        if not chosen:
            raise refusal("Choose a network first")
        return {name: self.networks[name] for name in chosen}

    def start_painting(
        self, held: Session | None, photographs: list[str] | None, chosen: list[str], *settings: Any
    ) -> tuple[Session, Iterator[Step]]:
        """Raises `gr.Error`, which the page shows, where something is not chosen."""
        if not photographs:
            raise refusal("Add a photograph first")
        networks, options = self.networks_of(chosen), self.options(*settings)
        session = held or Session()
        return session, session.paint(photographs, networks, options)

    def paint_and_show(self, held: Session | None, *request: Any, progress=gr.Progress()) -> Iterator[Update]:  # noqa: B008
        """Paint what was asked for, and show each photograph as soon as it is there."""
        session, steps = self.start_painting(held, *request)
        for update in self.follow(session, steps, progress):
            yield {self.session: session} | update

    def paint_hints(
        self, session: Session | None, photograph: str | None, drawn: dict[str, Any] | None, chosen: list[str],
        *settings: Any, progress=gr.Progress(),  # noqa: B008
    ) -> Iterator[Update]:  # fmt: skip
        """Paint the photograph that is shown, with what is brushed onto it; the brush strokes stay."""
        if session is None or photograph not in session.results or not drawn:
            raise refusal("Colour a photograph first")
        try:
            networks, options = self.networks_of(chosen), self.options(*settings)
            steps = session.repaint(photograph, drawn["layers"], networks, options)
        except UserError as error:
            raise refusal(f"{str(error)[0].upper()}{str(error)[1:]}") from error
        for update in self.follow(session, steps, progress, photograph):
            yield {component: value for component, value in update.items() if component is not self.editor}

    def follow(
        self, session: Session, steps: Iterator[Step], progress: gr.Progress, photograph: str | None = None
    ) -> Iterator[Update]:
        """What the page shows after each step, and in the end: of one photograph, by default the first."""
        painted, failures = 0, []
        for step in steps:
            progress((step.done, step.of), desc=step.coming, unit="pictures")
            if step.failure:
                failures.append(step.failure)
                gr.Warning(escape(step.failure))
            painted += step.painted is not None
            ended = {self.status: "; ".join([f"{painted} pictures painted", *map(escape, failures)])}
            if step.painted or not step.coming:
                shown = step.painted if step.coming and step.painted in session.results else photograph
                ended |= self.show_all(session, shown, whole=not step.coming)
            yield ended

    def show_stopped(self, session: Session | None) -> Update:
        return {self.status: "stopped"} | (self.show_all(session) if session else {})

    def paint_files(
        self, held: Session | None, photographs: list[str], networks: list[str], size: int, strength: float,
        max_chroma: float, samples: int, seed: int, format: str,
    ) -> tuple[Session, list[str], dict[str, list[str]]]:  # fmt: skip
        """The painted files, each called as its photograph, in the order of the photographs and for each in that of the
        networks; and what was said: of the painted ones, and of those that could not be.

        networks are names that the page shows; size is that of the prediction in pixels of the shorter side, 0 for the
        network's own; strength is a factor on chroma, max_chroma its bound in CIE units (150: none); samples and seed
        are of stochastic networks; format is png, jpg, tif or webp.
        """
        session, steps = self.start_painting(
            held, photographs, networks, size, strength, max_chroma, samples, seed, format
        )
        failures = [step.failure for step in steps if step.failure]
        files, rows = [str(file) for _, _, file, _ in session.paintings()], report_rows(session)
        painted = [f"{name}, {label}: {said}" for name, label, said in rows]
        return session, files, {"painted": painted, "failed": failures}

    def step_back(self, session: Session | None) -> Update:
        if session is None or not session.earlier:
            raise refusal("There is nothing to undo")
        session.undo()
        return self.show_all(session) | {self.status: ""}

    def show_all(self, session: Session, photograph: str | None = None, whole: bool = True) -> Update:
        """All that is painted; in the slider one photograph, by default the first. The archive once it is `whole`."""
        photograph = photograph or next(iter(session.results), None)
        archive = session.archive() if whole else None
        return {
            self.photograph: gr.Dropdown(list(session.results), value=photograph),
            self.archive: gr.DownloadButton(value=archive, interactive=archive is not None),
            self.report: gr.Dataframe(report_rows(session), visible=bool(session.results)),
        } | self.choose(session, photograph)

    def choose(self, session: Session | None, photograph: str | None) -> Update:
        """A photograph beside what the first network made of it."""
        found = session.results.get(photograph or "", {}) if session else {}
        labels = list(found)
        sides = (labels[0], labels[1]) if len(labels) > 1 else (None, None)
        views = [(str(each.view), label) for label, each in found.items()]
        return {
            self.left: gr.Dropdown(labels, value=sides[0]),
            self.right: gr.Dropdown(labels, value=sides[1]),
            self.gallery: gr.Gallery(views, visible=len(views) > 2, selected_index=None),
            self.editor: {"background": views[0][0], "layers": [], "composite": None} if views else None,
        } | self.show(session, photograph, *sides)

    def show(self, session: Session | None, photograph: str | None, left: str | None, right: str | None) -> Update:
        found = session.results.get(photograph or "", {}) if session else {}
        if left not in found or right not in found:
            return {self.slider: None, self.file: gr.DownloadButton(value=None, interactive=False)}
        file = found[right].file
        return {
            self.slider: (str(found[left].view), str(found[right].view)),
            self.file: gr.DownloadButton(f"Download {right}", value=file, interactive=right != BEFORE),
        }

    def take(self, session: Session, photograph: str, left: str, chosen: gr.SelectData) -> Update:
        """Put what was chosen in the gallery on the right of the slider."""
        right = list(session.results[photograph])[chosen.index]
        return {self.right: right} | self.show(session, photograph, left, right)


def refusal(sentence: str) -> gr.Error:
    """What the page shows, and a client of the API gets, for a request that cannot be."""
    return gr.Error(f"{sentence}.", title="Not yet", print_exception=False)


def report_rows(session: Session) -> list[list[str]]:
    return [[name, label, record.summary] for name, label, _, record in session.paintings()]
