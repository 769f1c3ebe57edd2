"use strict";
// Every pair of runs of every photograph once, in an order and on sides that are drawn anew for each judge.
const study = JSON.parse(document.getElementById("study").textContent);
const drawn = (n) => Math.floor(Math.random() * n);
const judge = Array.from(crypto.getRandomValues(new Uint8Array(4)), (b) => b.toString(16).padStart(2, "0")).join("");
const element = (id) => document.getElementById(id);

const pairs = [];
for (const [photograph, pictures] of Object.entries(study.pictures)) {
  const runs = Object.keys(pictures);
  runs.forEach((one, i) => runs.slice(i + 1).forEach((other) => {
    const [left, right] = drawn(2) ? [one, other] : [other, one];
    pairs.splice(drawn(pairs.length + 1), 0, { photograph, left, right });
  }));
}

const choices = [];
let saved = true;
const cell = (text) => `"${text.replaceAll('"', '""')}"`;
const lines = () => choices.map((choice, i) => {
  const { photograph, left, right } = pairs[i];
  return [study.page, judge, photograph, left, right, choice].map(cell).join(",");
});

const show = () => {
  const pair = pairs[choices.length];
  for (const side of ["left", "right"]) {
    element(side).src = pair ? study.pictures[pair.photograph][pair[side]] : "";
    element(side).hidden = !pair;
  }
  element("done").textContent = `${choices.length} of ${pairs.length} choices made`;
  element("save").download = `judgements-${judge}.csv`;
  element("save").href = "data:text/csv;charset=utf-8," + encodeURIComponent([study.header.join(","), ...lines(), ""].join("\n"));
};
const choose = (choice) => { if (choices.length < pairs.length) { choices.push(choice); saved = false; show(); } };
const back = () => { choices.pop(); show(); };

for (const button of document.querySelectorAll("[data-choice]")) button.addEventListener("click", () => choose(button.dataset.choice));
element("back").addEventListener("click", back);
element("save").addEventListener("click", () => { saved = true; });
const keys = { ArrowLeft: () => choose("left"), ArrowRight: () => choose("right"), ArrowDown: () => choose("same"), Backspace: back };
addEventListener("keydown", (event) => { if (keys[event.key]) { event.preventDefault(); keys[event.key](); } });
addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
show();
