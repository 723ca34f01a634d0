// sparkplug-client as an edge node: births, numbered data on request, commands told on standard output.
// node edge.js PORT
const client = require("sparkplug-client").newClient({
  serverUrl: `mqtt://127.0.0.1:${process.argv[2]}`,
  username: "", password: "", groupId: "N", edgeNode: "js", clientId: "js-edge", version: "spBv1.0", keepalive: 10,
});
const metric = (name, type, value) => ({ name, type, value, timestamp: Date.now() });
const tell = (what) => console.log(JSON.stringify(what));
const birth = () => [
  metric("speed", "Double", 1.5), metric("count", "Int32", -12), metric("serial", "String", "000123"),
  metric("on", "Boolean", true), metric("small", "Int8", -7), metric("big", "UInt64", 9007199254740991),
  metric("word", "UInt16", 65535), metric("single", "Float", 0.5), metric("raw", "Bytes", Buffer.from([0, 255])),
];
client.on("birth", () => {
  client.publishNodeBirth({ timestamp: Date.now(), metrics: [metric("Node Control/Rebirth", "Boolean", false)] });
  client.publishDeviceBirth("d", { timestamp: Date.now(), metrics: birth() });
  tell({ born: true });
});
client.on("dcmd", (device, payload) =>
  tell({ device, metrics: payload.metrics.map((m) => ({ name: m.name, type: m.type, value: Number(m.value) })) }));
process.stdin.on("data", (text) => {
  for (const word of text.toString().trim().split("\n")) {
    if (word === "stop") { client.stop(); setTimeout(() => process.exit(0), 100); continue; }
    const n = Number(word);
    for (let i = 0; i < n; i++) {
      client.publishDeviceData("d", { timestamp: Date.now(), metrics: [metric("count", "Int32", -i)] });
    }
  }
});
