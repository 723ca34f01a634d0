// A Modbus TCP device: node server.js PORT. Holding registers hold their own number, input registers twice it; both
// registers and coils can be written. Prints "ready" when it listens.
"use strict";
const { ServerTCP } = require("modbus-serial");

const registers = new Map();
const coils = new Map();
const device = new ServerTCP(
  {
    getHoldingRegister: (address) => registers.get(address) ?? address,
    getInputRegister: (address) => (address * 2) & 0xffff,
    getCoil: (address) => coils.get(address) ?? false,
    getDiscreteInput: (address) => address % 2 === 1,
    setRegister: (address, value) => void registers.set(address, value),
    setCoil: (address, value) => void coils.set(address, value),
  },
  { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 1 },
);
device.on("initialized", () => console.log("ready"));
