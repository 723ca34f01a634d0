// Reads and writes tags of a Logix controller: node client.js PORT '{"read": ["Level"], "write": {"Level": 5}, "list": true}'
// prints one line of JSON: {"name": …, "values": {…}, "tags": […]}.
"use strict";
require("st-ethernet-ip/dist/config").EIP_PORT = Number(process.argv[2]);
const { Controller, Tag, TagList, Structure } = require("st-ethernet-ip");

async function main(order) {
  const peer = new Controller();
  await peer.connect("127.0.0.1", 0);
  const list = new TagList();
  await peer.getControllerTagList(list);
  const made = (name) => {
    const [, program, tag] = /^(?:Program:(\w+)\.)?(.*)$/.exec(name);
    return new Tag(tag, program || null);
  };
  for (const [name, value] of Object.entries(order.write || {})) {
    const tag = made(name);
    await peer.readTag(tag); // for the type
    tag.value = value;
    await peer.writeTag(tag);
  }
  const values = {};
  for (const name of order.read || []) {
    const tag = made(name);
    await peer.readTag(tag);
    values[name] = tag.value;
  }
  for (const name of order.structures || []) {
    const whole = new Structure(name, list);
    await peer.readTag(whole);
    values[name] = whole.value;
  }
  const tags = list.tags.map((tag) => ({ name: tag.name, program: tag.program, type: tag.type.typeName }));
  console.log(JSON.stringify({ name: peer.properties.name, values, tags }, (_, v) => (typeof v === "bigint" ? String(v) : v)));
  await peer.disconnect();
}

main(JSON.parse(process.argv[3])).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
