// sparkplug-payload as a host: every payload of spBv1.0/# decoded, one JSON line each on standard output.
// node host.js PORT
const mqtt = require("mqtt");
const codec = require("sparkplug-payload").get("spBv1.0");
const client = mqtt.connect(`mqtt://127.0.0.1:${process.argv[2]}`, { clientId: "js-host", clean: true });
const plain = (value) =>
  value instanceof Uint8Array ? Array.from(value)
    : value && typeof value === "object" && "low" in value ? value.toString()
    : value === undefined ? null : value;
client.on("connect", () => client.subscribe("spBv1.0/#", () => console.log(JSON.stringify({ ready: true }))));
client.on("message", (topic, payload) => {
  if (topic.startsWith("spBv1.0/STATE/")) return;
  const decoded = codec.decodePayload(payload);
  console.log(JSON.stringify({
    topic, seq: decoded.seq === undefined ? null : Number(decoded.seq),
    metrics: decoded.metrics.map((m) => ({
      name: m.name || null, alias: m.alias === undefined || m.alias === null ? null : Number(m.alias),
      type: m.type || null, value: plain(m.value), historical: !!m.isHistorical,
    })),
  }));
});
