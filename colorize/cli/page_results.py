"""The part of the page that `colorize app` serves in which photographs are looked at, compared and downloaded."""

from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from colorize.cli.session_files import BEFORE, TINT, report_table
from colorize.cli.sessions import Session

NOTHING = "Add photographs and press *Colour*: they appear here, before and after."
LEGEND = f"""Confidence: more <span class="scale" style="background: linear-gradient(90deg, #fff, {TINT})"></span> less.
Expected difference from the true colours: up to %.0f where there is no violet, and %.0f or more where it is strongest
(in CIE units: up to 5 is hardly visible, 5 to 15 clearly another shade, more maybe another colour). Wide violet is
normal: most colours of an old photograph cannot be known."""
HINTS = """Brush the colours that you know onto the photograph: a stroke changes what it covers, and what is alike
around it. Strokes stay until you erase them; *Colour* takes them too."""
BRUSH: list[Any] = ["#c8956c", "#7a4a2b", "#a33030", "#d9a441", "#4f7a3a", "#5b8fc4", "#2f4a7d", "#8a6fa8"]
Update = dict[Any, Any]  # component -> its new value or properties


class Results:
    """Adds it where it is made. The methods give what it shows of a session: of its photographs, one beside what a
    network made of it, or what two networks made of it. `reach` is that of hints, at first."""

    def __init__(self, reach: float) -> None:
        self.nothing = gr.Markdown(NOTHING, elem_id="nothing", container=True)
        with gr.Column(visible=False) as self.whole:
            self._add_comparison()
            with gr.Accordion("Hints: brush colours that you know", open=False, elem_id="hints") as self.hints:
                gr.Markdown(HINTS, elem_classes="small")
                self.editor = gr.ImageEditor(
                    type="pil", sources=(), transforms=(), layers=False, brush=gr.Brush(colors=BRUSH), format="png",
                    show_label=False, buttons=[], height="min(600px, 95vw)",
                )  # fmt: skip
                said = "How far a stroke's colour spreads, in shares of the photograph's shorter side."
                self.reach = gr.Slider(0.01, 1, reach, step=0.01, label="Reach", info=said, buttons=["reset"])
                self.hint = gr.Button("Colour with these hints")
            with gr.Accordion("Report", open=False):
                self.report = gr.HTML(elem_classes="prose")
        self.compared = [self.slider, self.file, self.caption]
        self.choices = [self.photograph, self.left, self.right, self.gallery]
        self.components = [
            *self.compared, *self.choices, self.editor, self.archive, self.report, self.whole, self.nothing
        ]  # fmt: skip

    def _add_comparison(self) -> None:
        with gr.Row():
            self.photograph = gr.Dropdown([], label="Photograph", min_width=280, filterable=False)
            self.left, self.right = (
                gr.Dropdown([], label=side, min_width=130, filterable=False) for side in ("Left", "Right")
            )
        self.slider = gr.ImageSlider(
            type="filepath", show_label=False, interactive=False, buttons=["fullscreen"], max_height=640,
            elem_id="before-after",
        )  # fmt: skip
        self.caption = gr.HTML(elem_id="caption", elem_classes="small", apply_default_css=False)
        self.gallery = gr.Gallery(
            show_label=False, columns=3, height="auto", allow_preview=False, visible=False, interactive=False,
            buttons=[], elem_id="side-by-side",
        )  # fmt: skip
        with gr.Row():
            self.file = gr.DownloadButton("Download this picture", interactive=False, min_width=200, elem_id="download")
            self.archive = gr.DownloadButton("Download all (ZIP)", interactive=False, min_width=200, elem_id="archive")

    def connect(self, session: gr.State, **quiet: Any) -> None:
        """Lets visitors choose what they look at."""
        sides = [session, self.photograph, self.left, self.right]
        self.photograph.input(self.choose, sides[:2], [*self.compared, *self.choices, self.editor], **quiet)
        self.hints.expand(self.canvas_again, [*sides[:2], self.editor], self.editor, **quiet)
        for side in (self.left, self.right):
            side.input(self.compare, sides, self.compared, **quiet)
        self.gallery.select(self.take, sides[:3], [self.right, *self.compared], **quiet)

    def show_all(self, session: Session, shown: str | None = None, right: str | None = None) -> Update:
        """All that is painted, but for the archive; in the slider the photograph that is shown already, with what is
        being brushed onto it, or the first."""
        photograph = shown if shown in session.results else next(iter(session.results), None)
        update = {
            self.archive: gr.DownloadButton(value=None, interactive=False),
            self.whole: gr.Column(visible=bool(session.results)),
            self.nothing: gr.Markdown(visible=not session.results),
            **self.show_choices(session, photograph),
            **self.choose(session, photograph, right=right),
            self.photograph: gr.Dropdown(list(session.results), value=photograph),
        }
        return self._keep_strokes(update) if photograph and photograph == shown else update

    def _keep_strokes(self, update: Update) -> Update:
        return {component: value for component, value in update.items() if component is not self.editor}

    def show_choices(self, session: Session, photograph: str | None) -> Update:
        """What there is to choose from, for one photograph; another may be looked at."""
        labels, names = list(session.results.get(photograph or "", ())), list(session.results)
        return {
            self.photograph: gr.Dropdown(names), self.left: gr.Dropdown(labels), self.right: gr.Dropdown(labels),
            self.gallery: self.views_of(session, photograph), self.report: report_table(session.paintings()),
        }  # fmt: skip

    def views_of(self, session: Session, photograph: str | None) -> gr.Gallery:
        views = [(str(each.view), label) for label, each in session.results.get(photograph or "", {}).items()]
        return gr.Gallery(views, visible=len(views) > 2, selected_index=None)

    def canvas_of(self, session: Session, photograph: str | None) -> dict[str, Any] | None:
        """A photograph with its hints."""
        found = session.results.get(photograph or "")
        if not found:
            return None
        view, layers = found[BEFORE].view, []
        if drawn := session.hints.get(photograph or ""):
            with Image.open(view, formats=["JPEG"]) as shown, Image.open(drawn, formats=["PNG"]) as hints:
                layers = [hints.resize(shown.size, Image.Resampling.NEAREST)]
        return {"background": str(view), "layers": layers, "composite": None}

    def canvas_again(
        self, session: Session, photograph: str | None, drawn: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """What the editor holds: it does not show what it was given while it was not seen."""
        return {**drawn, "composite": None} if drawn and drawn["layers"] else self.canvas_of(session, photograph)

    def show_archive(self, session: Session) -> Update:
        try:
            archive = session.archive()
        except OSError as error:  # all files are there, to be downloaded one by one
            gr.Warning(f"The archive of all cannot be written: {escape(str(error.strerror))}.")
            archive = None
        return {self.archive: gr.DownloadButton(value=archive, interactive=archive is not None)}

    def choose(
        self, session: Session, photograph: str | None, left: str | None = None, right: str | None = None
    ) -> Update:
        """A photograph, by default itself on the left; on the right what a network of the last round made of it, by
        default the first."""
        found = session.results.get(photograph or "", {})
        labels = list(found)
        first = left if left in found else next(iter(labels), None)
        painted = [label for label in labels[1:] if found[label].network in session.networks] or labels[1:]
        second = right if right in painted else next(iter(painted), None)
        return {
            self.left: gr.Dropdown(labels, value=first),
            self.right: gr.Dropdown(labels, value=second),
            self.gallery: self.views_of(session, photograph),
            self.editor: self.canvas_of(session, photograph),
        } | self.compare(session, photograph, first, second)

    def choose_again(self, session: Session, photograph: str | None, left: str | None, right: str | None) -> Update:
        """What is looked at, with all that has been painted of it since; the hints that are being brushed stay."""
        return self._keep_strokes(self.choose(session, photograph, left, right))

    def compare(self, session: Session, photograph: str | None, left: str | None, right: str | None) -> Update:
        found = session.results.get(photograph or "", {})
        if left not in found or right not in found:
            return {self.slider: None, self.file: gr.DownloadButton(value=None, interactive=False), self.caption: ""}
        shown = found[right]
        return {
            self.slider: (str(found[left].view), str(shown.view)),
            self.file: gr.DownloadButton(value=shown.file, interactive=right != BEFORE),
            self.caption: LEGEND % shown.scale if shown.scale else escape(shown.record.summary) if shown.record else "",
        }

    def take(self, session: Session, photograph: str, left: str, chosen: gr.SelectData) -> Update:
        """Put what was chosen in the gallery on the right of the slider."""
        right = list(session.results[photograph])[chosen.index]
        return {self.right: right} | self.compare(session, photograph, left, right)
