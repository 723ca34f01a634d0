// What every page has: the plant's clock and the switch between light and dark.

export function startClock(now: () => number): void {
  const clock = document.getElementById("clock");
  const zone = document.body.dataset["zone"] || "UTC";
  let form: Intl.DateTimeFormat;
  try {
    form = plantForm(zone);
  } catch {
    form = plantForm("UTC");
  }
  const tick = () => {
    if (clock) clock.textContent = stamp(form, now());
  };
  tick();
  setInterval(tick, 250);
}

export function plantForm(zone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });
}

/** `2026-11-21 07:15:03 CET` */
export function stamp(form: Intl.DateTimeFormat, ms: number): string {
  const part = Object.fromEntries(form.formatToParts(ms).map(({ type, value }) => [type, value]));
  return `${part["year"]}-${part["month"]}-${part["day"]} ${part["hour"]}:${part["minute"]}:${part["second"]} ${part["timeZoneName"]}`;
}

export function startTheme(changed: () => void = () => {}): void {
  const button = document.getElementById("theme");
  if (!button) return;
  button.hidden = false;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", changed);
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const now = root.dataset["theme"] ?? (dark.matches ? "dark" : "light");
    root.dataset["theme"] = now === "dark" ? "light" : "dark";
    // A cookie, not local storage: the server writes it into the page, which then never flashes.
    document.cookie = `weft-theme=${root.dataset["theme"]}; path=/; max-age=31536000; samesite=lax`;
    changed();
  });
}
