// The page: models to choose, a file to show them, and their answers side by side.

import { cardOf, element } from "./results.js";
import { WORDS } from "./words.js";

const WAIT_MS = 1000;
const find = (id) => document.getElementById(id);
const [first, second, input, drop, takes, status, results] =
  ["first", "second", "file", "drop", "takes", "status", "results"].map(find);

let words = WORDS.en;
let models = [];
let shown = null; // { file, image, answers }: what stands on the page now
let asked = 0; // counts questions, so that a late answer to an earlier one is left

function speak(language) {
  words = WORDS[language] ?? WORDS.en;
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-words]")) node.textContent = words[node.dataset.words];
  for (const node of document.querySelectorAll("[data-words-label]")) node.ariaLabel = words[node.dataset.wordsLabel];
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  if (second.options.length) second.options[0].textContent = words.nothing;
  describe();
  draw();
}

function chosen() {
  return [first.value, second.value].filter(Boolean).map((name) => models.find((model) => model.name === name));
}

function describe() {
  const readers = chosen().filter((model) => model.endings.length > 0);
  takes.hidden = readers.length === 0;
  takes.textContent = readers.map((model) => words.takesFiles(model.name, model.endings.join(" "))).join(" ");
}

async function load() {
  try {
    while (!(await fetch("readyz")).ok) {
      status.textContent = words.starting;
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
    const { models: names } = await (await fetch("v1/models")).json();
    models = await Promise.all(names.map(async (name) => (await fetch(`v1/models/${name}`)).json()));
    const options = () => names.map((name) => element("option", { value: name, textContent: name }));
    first.replaceChildren(...options());
    second.replaceChildren(element("option", { value: "", textContent: words.nothing }), ...options());
    second.disabled = names.length < 2;
    status.textContent = "";
    describe();
  } catch {
    status.textContent = words.unreachable;
  }
}

async function ask(model, file) {
  const form = new FormData();
  form.append("image", file, file.name || "image");
  try {
    const response = await fetch(`v1/models/${model.name}:predict?pictures=true&grey=true`, { method: "POST", body: form });
    const body = await response.json();
    return response.ok ? { answer: body } : { error: body.error };
  } catch {
    return { error: words.unreachable };
  }
}

async function show(file) {
  if (!file || models.length === 0) return;
  const question = ++asked;
  status.textContent = words.working;
  results.setAttribute("aria-busy", "true");
  const answers = [];
  for (const model of chosen()) answers.push({ model, ...(await ask(model, file)) }); // in turn, so that times are their own
  if (question !== asked) return;
  if (shown?.image) URL.revokeObjectURL(shown.image);
  const isImage = chosen().every((model) => model.endings.length === 0);
  shown = { file, image: isImage ? URL.createObjectURL(file) : null, answers };
  results.removeAttribute("aria-busy");
  draw();
}

function draw() {
  if (shown === null) return;
  const { image, answers } = shown;
  results.replaceChildren(...answers.map(({ model, ...answer }) => cardOf(model, answer, image, words)));
  results.classList.toggle("two", answers.length > 1);
  status.textContent = summary(answers);
}

function summary(answers) {
  const answered = answers.filter(({ answer }) => answer);
  const tops = answered.map(({ answer }) => answer.predictions[0].label);
  if (tops.length === 2 && tops.every((top) => top !== undefined)) {
    return tops[0] === tops[1] ? words.agree(tops[0]) : words.differ(...tops);
  }
  return answered.length ? words.done(answered.map(({ model }) => model.name).join(", ")) : "";
}

input.addEventListener("change", () => show(input.files[0]));
for (const select of [first, second]) {
  select.addEventListener("change", () => {
    describe();
    if (shown !== null) show(shown.file);
  });
}
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) show(file);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  show(event.dataTransfer.files[0]);
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
}

speak(document.documentElement.lang);
load();
