// Results as elements: picture, bars, and where the time went. It knows the fields of results, and no task.

const MOST_ROWS = 10;
const MOST_SAMPLES = 12;
const SMALL_PX = 96;

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Names and shares, 0..1, of whatever a prediction lists, the largest first.
function rowsOf(prediction, words) {
  const { classes = [], objects = [], modes = [] } = prediction;
  const rows = [
    ...classes.map((row) => [row.label ?? row.class, row.score ?? row.share]),
    ...objects.map((row) => [row.label, row.score]),
    ...modes.map((row, index) => [words.path(index + 1), row.probability]),
  ];
  return rows.filter(([, share]) => share > 0).sort((one, other) => other[1] - one[1]);
}

function bars(prediction, words) {
  const rows = rowsOf(prediction, words);
  if (rows.length === 0) return [element("p", { className: "quiet", textContent: words.found })];
  const list = element("ol", { className: "bars" });
  for (const [name, share] of rows.slice(0, MOST_ROWS)) {
    const bar = element("span", { className: "bar" });
    bar.style.width = `${100 * share}%`;
    const label = element("span", { className: "name", textContent: name, title: name });
    const percent = element("span", { className: "share", textContent: `${(100 * share).toFixed(1)} %` });
    list.append(element("li", {}, label, percent, element("span", { className: "track", ariaHidden: "true" }, bar)));
  }
  const more = rows.length > MOST_ROWS ? [note(words.shown(MOST_ROWS, rows.length))] : [];
  return [list, ...more];
}

function note(text) {
  return element("p", { className: "quiet", textContent: text });
}

// The last picture of a result, which lies over the image; the image itself where a result has none.
function picture(prediction, image, words) {
  const pictures = prediction.pictures ?? [];
  const last = pictures.at(-1);
  if (last === undefined && image === null) return [];
  const source = last === undefined ? image : `data:image/png;base64,${last.png}`;
  const name = prediction.source;
  const shown = element("img", { src: source, alt: last === undefined ? words.sent(name) : words.picture(name) });
  shown.addEventListener("load", () => shown.classList.toggle("small", shown.naturalWidth < SMALL_PX));
  shown.addEventListener("error", () => shown.remove()); // a format that the browser does not show
  const links = pictures.map((one) =>
    element("a", { href: `data:image/png;base64,${one.png}`, download: one.name, textContent: words.save(one.name) }),
  );
  return [element("div", { className: "frame" }, shown), ...(links.length ? [element("p", { className: "links" }, ...links)] : [])];
}

function timing(milliseconds, words) {
  const total = Object.values(milliseconds).reduce((sum, value) => sum + value, 0);
  const line = element("div", { className: "times", ariaHidden: "true" });
  const list = element("dl");
  for (const [stage, value] of Object.entries(milliseconds)) {
    const part = element("span", { className: stage });
    part.style.flexGrow = value / Math.max(total, 1e-9);
    line.append(part);
    const name = element("dt", { className: stage, textContent: words.stages[stage] });
    list.append(element("div", {}, name, element("dd", { textContent: words.milliseconds(value.toFixed(1)) })));
  }
  const head = element("h3", { textContent: `${words.times}: ${words.milliseconds(total.toFixed(1))}` });
  return element("section", { className: "timing" }, head, line, list);
}

// The card of one model: `answer` is what `:predict` gave, or null with the error in one line.
export function cardOf(model, { answer, error }, image, words) {
  const card = element("article", { className: "card" });
  card.append(
    element("h2", { textContent: model.name }),
    note(`${words.on(model.net, model.data)} · ${model.engine}`),
  );
  if (error) {
    card.append(element("p", { className: "error", textContent: error }));
    return card;
  }
  const { predictions } = answer;
  for (const prediction of predictions.slice(0, MOST_SAMPLES)) {
    const { scenario, vehicle, frame } = prediction;
    if (predictions.length > 1) {
      const name = vehicle === undefined ? prediction.source : `${scenario}:${vehicle}@${frame}`;
      card.append(element("h3", { textContent: name }));
    }
    card.append(...picture(prediction, image, words), ...bars(prediction, words));
  }
  if (predictions.length > MOST_SAMPLES) card.append(note(words.shown(MOST_SAMPLES, predictions.length)));
  card.append(timing(answer.timing_ms, words));
  return card;
}
