// The plant's page: values, ages and states in place of those the server wrote.
import { ageText, dueText } from "./age";
import { startClock, startTheme } from "./frame";
import { Live, type Row } from "./live";

const SPARKS_EVERY = 20_000;
let cut = false;

const live = new Live(document.body.dataset["live"]!, {
  values: (rows) => rows.forEach(show),
  assets: (rows) => rows.forEach(showAsset),
  cut: (now) => {
    cut = now;
    tick();
  },
});

function show([handle, text, mark, quality, time]: Row): void {
  const row = document.getElementById(`s${handle}`);
  if (!row) return;
  put(row.querySelector(".value"), text);
  row.dataset["word"] = quality;
  if (row.dataset["mark"] !== mark) row.dataset["mark"] = mark;
  const age = row.querySelector<HTMLElement>("time")!;
  age.dataset["at"] = String(time);
  put(age, ageText(live.now() - time));
  freshen(row as HTMLTableRowElement, age);
}

function showAsset([key, mark, word]: [string, string, string]): void {
  for (const place of document.querySelectorAll<HTMLElement>(`[data-asset="${key}"]`)) {
    place.dataset["mark"] = mark;
    const text = place.querySelector("span")!;
    put(text, text.classList.contains("unseen") ? `${word}:` : word);
  }
}

/** Age, and whether the value is too old to be believed. */
function freshen(row: HTMLTableRowElement, time: HTMLElement): void {
  const at = Number(time.dataset["at"]);
  if (!at) return;
  const age = live.now() - at;
  const limit = Number(row.dataset["limit"]);
  const stale = cut || (limit > 0 && age > limit);
  if (row.classList.contains("stale") !== stale) row.classList.toggle("stale", stale);
  const word = row.querySelector(".quality span")!;
  row.dataset["word"] ??= word.textContent ?? "";
  put(word, stale ? "stale" : row.dataset["word"]);
}

function tick(): void {
  for (const time of document.querySelectorAll<HTMLElement>("time[data-at]")) {
    put(time, ageText(live.now() - Number(time.dataset["at"])));
    const row = time.closest<HTMLTableRowElement>("tr[data-mark]");
    if (row) freshen(row, time);
  }
  for (const time of document.querySelectorAll<HTMLElement>("time[data-due]"))
    put(time, dueText(Number(time.dataset["due"]) - live.now()));
}

function put(place: Element | null, text: string): void {
  if (place && place.textContent !== text) place.textContent = text;
}

async function sparks(): Promise<void> {
  if (document.hidden || cut) return;
  const answer = await fetch(document.body.dataset["sparks"]!).catch(() => undefined);
  if (!answer?.ok) return;
  const paths = (await answer.json()) as Record<string, string>;
  for (const [handle, d] of Object.entries(paths)) draw(document.querySelector(`#s${handle} .spark`), d);
}

function draw(cell: Element | null, d: string): void {
  if (!cell) return;
  if (!cell.firstElementChild) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 96 20");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    cell.append(svg);
  }
  cell.querySelector("path")!.setAttribute("d", d);
}

startTheme();
startClock(() => live.now());
setInterval(tick, 200);
setInterval(() => void sparks(), SPARKS_EVERY);
setTimeout(() => void sparks(), 3000);
