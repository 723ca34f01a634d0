// Monitors N items of a server and prints what a value cost this process. Options: --port --items --seconds
"use strict";
const { OPCUAClient, ClientSubscription, ClientMonitoredItemGroup, AttributeIds, MessageSecurityMode, SecurityPolicy, TimestampsToReturn } = require("node-opcua");

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function main() {
  const items = Number(option("items", 1000));
  const seconds = Number(option("seconds", 5));
  const client = OPCUAClient.create({
    securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None,
    endpointMustExist: false,
    requestedSessionTimeout: 60000,
    transportTimeout: 60000,
  });
  await client.connect(`opc.tcp://127.0.0.1:${option("port")}`);
  const session = await client.createSession();
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 20,
    maxNotificationsPerPublish: 20000,
    publishingEnabled: true,
  });
  let values = 0;
  for (let at = 0; at < items; at += 500) {
    const nodes = [];
    for (let i = at; i < Math.min(at + 500, items); i++) {
      nodes.push({ nodeId: `ns=2;s=load${i}`, attributeId: AttributeIds.Value });
    }
    const group = ClientMonitoredItemGroup.create(
      subscription, nodes, { samplingInterval: 100, queueSize: 10, discardOldest: true }, TimestampsToReturn.Both);
    group.on("changed", () => { values += 1; });
  }
  while (values === 0) await sleep(0.05);
  await sleep(2); // its compiler warms up
  const before = values, cpu = process.cpuUsage(), begun = process.hrtime.bigint();
  await sleep(seconds);
  const used = process.cpuUsage(cpu), wall = Number(process.hrtime.bigint() - begun) / 1e9;
  const counted = values - before, total = (used.user + used.system) / 1e6;
  console.log(JSON.stringify({
    values: counted,
    per_second: Math.round(counted / wall),
    us_per_value: Math.round(total / Math.max(counted, 1) * 1e9) / 1000,
    cores: Math.round(total / wall * 1e4) / 1e4,
    rss_mb: Math.round(process.memoryUsage().rss / 1048576),
  }));
  process.exit(0);
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
