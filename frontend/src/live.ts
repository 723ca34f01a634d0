// One event stream per page, and the truth about it: a page that hears nothing says so within a second or two.

export type Row = [handle: number, text: string, mark: string, quality: string, time: number, number: number | null];

const SILENCE = 2500; // the server beats every second

export class Live {
  /** Server time minus ours, ms. */
  skew = 0;
  private source: EventSource | undefined;
  private heard = performance.now();
  private cut = false;

  constructor(
    private readonly address: string,
    private readonly on: { values?: (rows: Row[]) => void; assets?: (rows: [string, string, string][]) => void; cut?: (cut: boolean) => void },
  ) {
    const now = Number(document.body.dataset["now"]);
    if (now) this.skew = now - Date.now();
    this.open();
    setInterval(() => this.check(), 250);
    addEventListener("pagehide", () => this.source?.close());
    // A browser keeps six connections to one host: pages in the background give theirs back.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.source?.close() : this.open()));
    addEventListener("pageshow", (event) => event.persisted && this.open());
  }

  now(): number {
    return Date.now() + this.skew;
  }

  private open(): void {
    this.source?.close();
    this.heard = performance.now();
    const source = (this.source = new EventSource(this.address));
    const listen = <T>(kind: string, take: (data: T) => void) =>
      source.addEventListener(kind, (event) => {
        this.hear();
        take(JSON.parse((event as MessageEvent<string>).data) as T);
      });
    listen<{ now: number }>("beat", ({ now }) => (this.skew = now - Date.now()));
    listen<{ now: number; rows: Row[] }>("values", ({ now, rows }) => {
      this.skew = now - Date.now();
      this.on.values?.(rows);
    });
    listen<[string, string, string][]>("assets", (rows) => this.on.assets?.(rows));
    listen<{ id: string; html: string }>("part", ({ id, html }) => {
      const place = document.getElementById(id);
      if (place) keepOpen(place, html);
    });
    listen("plant", () => location.reload());
    listen("again", () => this.open());
    source.onerror = () => {
      this.setCut(true);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => void this.knock(source), 2000);
    };
  }

  /** A refused stream is closed for good: either the session is over, then the page says so, or it is opened anew. */
  private async knock(source: EventSource): Promise<void> {
    if (this.source !== source || document.hidden) return;
    const answer = await fetch(location.href).catch(() => undefined);
    if (answer?.status === 401) location.reload();
    else if (this.source === source) this.open();
  }

  private hear(): void {
    this.heard = performance.now();
    this.setCut(false);
  }

  private check(): void {
    if (!document.hidden && performance.now() - this.heard > SILENCE) this.setCut(true);
  }

  private setCut(cut: boolean): void {
    if (cut === this.cut && !first) return;
    first = false;
    this.cut = cut;
    const pulse = document.getElementById("live");
    if (pulse) {
      pulse.dataset["state"] = cut ? "cut" : "live";
      pulse.querySelector("span")!.textContent = cut ? "cut off" : "live";
    }
    const banner = document.getElementById("lost");
    if (banner) {
      banner.hidden = !cut;
      banner.textContent = cut ? "Connection to Weft lost, retrying. Values below are old." : "";
    }
    this.on.cut?.(cut);
  }
}

let first = true;

/** New content, with what the reader had unfolded still unfolded. */
function keepOpen(place: HTMLElement, html: string): void {
  const open = [...place.querySelectorAll("details")].map((details) => details.open);
  place.innerHTML = html;
  place.querySelectorAll("details").forEach((details, i) => (details.open = open[i] ?? false));
}
