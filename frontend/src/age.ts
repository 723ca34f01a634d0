// Ages in the words of the server (weft/console/words.py): both are tested against the same table.
export function ageText(ms: number): string {
  if (ms < -1000) return `in ${ageText(-ms)}`;
  const seconds = Math.max(ms, 0) / 1000;
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  if (hours < 10) return `${hours} h ${Math.floor((whole % 3600) / 60)} min`;
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

/** When something is due: `in 8.2 s`, then `now`. */
export const dueText = (ms: number) => (ms > 0 ? `in ${ageText(ms)}` : "now");
