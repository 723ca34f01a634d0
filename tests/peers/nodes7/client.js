// Reads and writes variables of an S7 controller: node client.js PORT '{"read": ["DB1,INT2"], "write": {"DB1,INT2": 5}}'
// prints what was read as one line of JSON.
"use strict";
const NodeS7 = require("nodes7");

const [port, order] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const peer = new NodeS7({ silent: true });

function finish(code, text) {
  if (text) console.log(text);
  peer.dropConnection(() => process.exit(code));
  setTimeout(() => process.exit(code), 1000).unref();
}

function read() {
  if (!order.read) return finish(0, "{}");
  peer.addItems(order.read);
  peer.readAllItems((bad, values) => finish(bad ? 1 : 0, JSON.stringify(values)));
}

peer.initiateConnection({ port, host: "127.0.0.1", rack: 0, slot: 1, timeout: 3000 }, (error) => {
  if (error) return finish(2, String(error));
  const names = Object.keys(order.write || {});
  if (!names.length) return read();
  peer.writeItems(names, Object.values(order.write), (bad) => (bad ? finish(3) : read()));
});
