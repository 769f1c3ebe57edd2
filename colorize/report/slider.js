"use strict";
// Every picture is in the page once, in its strip; the stage shows two of them.
const sides = document.querySelectorAll("#photographs select");
const figures = document.querySelectorAll("#photographs figure");

function show() {
  for (const figure of figures) {
    const strip = figure.querySelectorAll(".strip img");
    for (const side of sides) {
      figure.querySelector(`.stage .${side.dataset.side}`).src = strip[side.value].src;
    }
  }
}

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
