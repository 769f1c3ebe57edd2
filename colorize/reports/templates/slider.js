"use strict";
// Every picture is in the page once, in its strip; the stage shows two of them.
for (const gallery of document.querySelectorAll(".gallery")) {
  const sides = gallery.querySelectorAll("select");
  const figures = gallery.querySelectorAll("figure");

  const show = () => {
    for (const figure of figures) {
      const strip = figure.querySelectorAll(".strip img");
      for (const side of sides) {
        figure.querySelector(`.stage .${side.dataset.side}`).src = strip[side.value].src;
      }
    }
  };

  for (const side of sides) side.addEventListener("change", show);
  for (const figure of figures) {
    const stage = figure.querySelector(".stage");
    const line = stage.querySelector("input");
    const move = () => stage.style.setProperty("--line-at", `${line.value}%`);
    line.addEventListener("input", move);
    stage.hidden = false;
    move();
  }
  show();
}
