// The trend: curves by uPlot, the address holds the state, every look closer is a new question to the history.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { plantForm, stamp, startClock, startTheme } from "./frame";
import { Live, type Row } from "./live";

interface Signal {
  path: string;
  handle: number;
  name: string;
  unit: string;
  step: boolean;
  states: Record<string, string>;
}
interface Curve {
  signal: string;
  kind: "raw" | "summary";
  time: number[];
  value: (number | null)[];
}
interface Answer {
  start: number;
  end: number;
  now: number;
  series: Curve[];
}

const FONT = '12px system-ui, "Liberation Sans", sans-serif';

const place = document.getElementById("chart");
const signals: Signal[] = place ? JSON.parse(place.dataset["signals"]!) : [];
const zone = document.body.dataset["zone"] || "UTC";
const form = plantForm(zone);
const query = signals.map(({ path }) => `signal=${encodeURIComponent(path)}`).join("&");

let range = place?.dataset["range"] ?? "";
let from = Number(place?.dataset["start"]);
let to = Number(place?.dataset["end"]);
let curves: Curve[] = [];
let chart: uPlot | undefined;
let asked = 0;

const live = new Live(`/console/live?${query}`, { values: append });

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** A token's colour in the present theme: canvas does not know `light-dark()`. */
function colour(token: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value || css(token);
}

const named = (signal: Signal) => Object.keys(signal.states).length > 0;
const scaleOf = (signal: Signal) => (named(signal) ? signal.path : `unit ${signal.unit}`);

function reading(signal: Signal, value: number | null | undefined): string {
  if (value == null) return "–";
  const state = signal.states[String(Math.round(value))];
  if (state !== undefined) return state;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e12) return value.toExponential(4);
  const digits = size < 1 ? 4 : Math.max(4 - Math.floor(Math.log10(size)), 0);
  return value.toFixed(Number.isInteger(value) && signal.step ? 0 : digits);
}

function options(width: number, height: number): uPlot.Options {
  const ink = colour("--soft");
  const line = colour("--line");
  const scales: Record<string, uPlot.Scale> = { x: { time: true, range: () => [from, to] } };
  const ticks = { stroke: line, size: 5 };
  const axes: uPlot.Axis[] = [{ stroke: ink, grid: { stroke: line, width: 1 }, ticks, size: 44, space: 76, font: FONT, values: timeTexts }];
  for (const signal of signals) {
    const scale = scaleOf(signal);
    if (scales[scale]) continue;
    scales[scale] = named(signal) ? { range: stateRange(signal) } : {};
    axes.push(axisOf(signal, scale, axes.length, ink, line));
  }
  return {
    width,
    height,
    scales,
    axes,
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    series: [{}, ...signals.map(seriesOf)],
    hooks: { setCursor: [readings], setSelect: [closer] },
  };
}

function stateRange(signal: Signal): uPlot.Range.MinMax {
  const numbers = Object.keys(signal.states).map(Number);
  return [Math.min(...numbers) - 0.5, Math.max(...numbers) + 0.5];
}

function axisOf(signal: Signal, scale: string, order: number, ink: string, line: string): uPlot.Axis {
  const sharing = signals.filter((other) => scaleOf(other) === scale);
  const axis: uPlot.Axis = {
    scale,
    side: order % 2 === 1 ? 3 : 1,
    // An axis of one curve has its colour; what several share is grey.
    stroke: sharing.length === 1 ? colour(`--c${signals.indexOf(signal) + 1}`) : ink,
    grid: order === 1 ? { stroke: line, width: 1 } : { show: false },
    ticks: { stroke: line, size: 5 },
    font: FONT,
    size: 66,
  };
  if (named(signal)) {
    axis.size = 84;
    axis.splits = () => Object.keys(signal.states).map(Number);
    axis.values = (_, splits) => splits.map((value) => signal.states[String(value)] ?? "");
  } else if (signal.unit) {
    // The unit stands at the topmost number: a turned label is hard to read.
    axis.values = (_, splits) => splits.map((value, i) => `${value}${i === splits.length - 1 ? ` ${signal.unit}` : ""}`);
  }
  return axis;
}

/** The plant's time, as exact as the ticks are apart; the date below where it changes. */
function timeTexts(_: uPlot, splits: number[], __: number, ___: number, step: number): string[] {
  let before = "";
  return splits.map((seconds) => {
    const [date = "", time = ""] = stamp(form, seconds * 1000).split(" ");
    const text = step >= 60 ? time.slice(0, 5) : step >= 1 ? time : `${time}${(seconds % 1).toFixed(3).slice(1)}`;
    const line = date === before ? text : `${text}\n${date}`;
    before = date;
    return line;
  });
}

function seriesOf(signal: Signal, i: number): uPlot.Series {
  const stepped = uPlot.paths.stepped!({ align: 1 });
  return {
    label: signal.name,
    scale: scaleOf(signal),
    stroke: colour(`--c${i + 1}`),
    width: 1.6,
    dash: i > 3 ? [6, 4] : [],
    spanGaps: false,
    points: { show: false },
    // What has a lowest and a highest an interval is a band of lines, whatever the signal is.
    paths: (u, k, i0, i1) => (signal.step && curves[k - 1]?.kind === "raw" ? stepped(u, k, i0, i1) : uPlot.paths.linear!()(u, k, i0, i1)),
  };
}

function table(): uPlot.AlignedData {
  if (curves.length === 0) return [[], ...signals.map(() => [])] as unknown as uPlot.AlignedData;
  return uPlot.join(curves.map(({ time, value }) => [time, value] as uPlot.AlignedData));
}

function draw(): void {
  if (!place) return;
  if (!chart) {
    const box = place.getBoundingClientRect();
    chart = new uPlot(options(box.width - 18, box.height - 20), table(), place);
    chart.over.addEventListener("dblclick", back);
  } else chart.setData(table());
  between();
  readings(chart);
}

/** The numbers beside the names: under the cursor, else the newest. */
function readings(u: uPlot): void {
  const at = u.cursor.left != null && u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : undefined;
  signals.forEach((signal, i) => {
    const curve = curves[i];
    const output = document.querySelectorAll(".legend .reading")[i];
    if (!curve || !output) return;
    let k = curve.time.length - 1;
    if (at !== undefined) while (k >= 0 && curve.time[k]! > at) k--;
    const text = reading(signal, curve.value[k]);
    if (output.textContent !== text) output.textContent = text;
  });
}

function between(): void {
  const text = document.getElementById("between");
  if (text) text.textContent = `${stamp(form, from * 1000)} – ${stamp(form, to * 1000)}`;
}

/** A dragged span becomes the page's address; going back undoes it. */
function closer(u: uPlot): void {
  if (u.select.width < 4) return;
  const start = u.posToVal(u.select.left, "x");
  const end = u.posToVal(u.select.left + u.select.width, "x");
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (end - start < 0.001) return;
  [range, from, to] = ["", start, end];
  history.pushState(null, "", `/trend?${query}&start=${instant(start)}&end=${instant(end)}`);
  marked();
  void load();
}

function back(): void {
  if (!range) history.back();
}

const instant = (seconds: number) => new Date(seconds * 1000).toISOString();

function marked(): void {
  for (const link of document.querySelectorAll<HTMLElement>(".ranges a")) {
    if (range && link.dataset["range"] === range) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

async function load(): Promise<void> {
  if (!place || signals.length === 0) return;
  const mine = ++asked;
  const span = range ? `range=${range}` : `start=${instant(from)}&end=${instant(to)}`;
  const pixels = Math.max(100, Math.min(4000, Math.round(place.clientWidth)));
  const answer = await fetch(`/console/series?${query}&${span}&pixels=${pixels}`).catch(() => undefined);
  if (!answer?.ok || mine !== asked) return;
  const data = (await answer.json()) as Answer;
  if (mine !== asked) return;
  [from, to] = [data.start, data.end];
  curves = data.series;
  draw();
}

/** Values as they come, until the next load brings every sample. */
function append(rows: Row[]): void {
  if (!range) return;
  for (const [handle, , , , time, number] of rows) {
    const curve = curves[signals.findIndex((signal) => signal.handle === handle)];
    if (!curve || curve.time.length === 0 || time / 1000 <= curve.time[curve.time.length - 1]!) continue;
    curve.time.push(time / 1000);
    curve.value.push(number);
  }
}

function move(): void {
  if (!range || !chart || document.hidden) return;
  const width = to - from;
  to = live.now() / 1000;
  from = to - width;
  draw();
}

startTheme(() => {
  chart?.destroy();
  chart = undefined;
  draw();
});
startClock(() => live.now());
addEventListener("popstate", () => location.reload());
document.getElementById("more")?.addEventListener("change", (event) => (event.target as HTMLSelectElement).form?.requestSubmit());
if (place) {
  document.getElementById("hint")!.hidden = false;
  new ResizeObserver(() => chart?.setSize({ width: place.clientWidth - 18, height: place.clientHeight - 20 })).observe(place);
  void load();
  setInterval(move, 200);
  // A pixel's worth of time, at least a second: nothing finer could be seen.
  const refresh = () => Math.max(1000, ((to - from) / Math.max(place.clientWidth, 1)) * 1000);
  const again = () => void (range && !document.hidden ? load() : Promise.resolve()).finally(() => setTimeout(again, refresh()));
  setTimeout(again, 1000);
}
