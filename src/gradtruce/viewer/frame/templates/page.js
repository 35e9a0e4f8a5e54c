"use strict";
document.documentElement.classList.add("scripted");

// Lays the attention of one sentence, or where one finding is seen, over the large images of its study, or takes it away again.
function choose(sentence, isChosen) {
  const study = document.getElementById("study-" + sentence.dataset.study);
  for (const other of study.querySelectorAll("[data-heat]")) {
    other.classList.toggle("chosen", isChosen && other === sentence);
    other.querySelector("button").setAttribute("aria-pressed", isChosen && other === sentence);
  }
  for (const layer of study.querySelectorAll(".films use.heat")) {
    if (isChosen) {
      layer.setAttribute("href", "#" + sentence.dataset.heat + "-" + layer.dataset.view);
    } else {
      layer.removeAttribute("href");
    }
  }
}

for (const sentence of document.querySelectorAll("[data-heat]")) {
  sentence.addEventListener("click", () => {
    choose(sentence, !sentence.classList.contains("chosen"));
  });
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) {
    details.open = true;
  }
});
