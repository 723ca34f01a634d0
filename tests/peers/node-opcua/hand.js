// Reads, monitors and writes one node of a server as a user, and prints one line of JSON for each thing that it saw.
// Options: --url --user --password --node --folder, and --write of Int64 (comma between several); ends at the last.
"use strict";
const path = require("path");
const {
  OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, UserTokenType, AttributeIds, DataType,
  TimestampsToReturn, VariantArrayType, coerceInt64,
} = require("node-opcua");

const option = (name) => process.argv[process.argv.indexOf(`--${name}`) + 1];
const say = (what, found) => console.log(JSON.stringify({ what, found }));
const number = (pair) => Number(BigInt.asIntN(64, (BigInt(pair[0]) << 32n) | BigInt(pair[1])));

async function main() {
  const manager = new OPCUACertificateManager({
    rootFolder: path.join(option("folder"), "hand"), automaticallyAcceptUnknownCertificate: true,
  });
  await manager.initialize();
  const client = OPCUAClient.create({
    applicationName: "Hand", clientCertificateManager: manager, securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None, endpointMustExist: false, connectionStrategy: { maxRetry: 1 },
  });
  await client.connect(option("url"));
  const session = await client.createSession({
    type: UserTokenType.UserName, userName: option("user"), password: option("password"),
  });
  const node = { nodeId: option("node"), attributeId: AttributeIds.Value };
  const read = await session.read(node);
  say("read", [number(read.value.value), DataType[read.value.dataType], read.statusCode.name]);
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 20,
    maxNotificationsPerPublish: 1000, publishingEnabled: true,
  });
  const seen = [];
  const item = await subscription.monitor(
    node, { samplingInterval: 0, queueSize: 100, discardOldest: true }, TimestampsToReturn.Both);
  item.on("changed", (value) => seen.push(number(value.value.value)));
  for (const wanted of option("write").split(",").map(Number)) {
    const value = { value: { dataType: DataType.Int64, arrayType: VariantArrayType.Scalar, value: coerceInt64(wanted) } };
    const status = (await session.write({ ...node, value })).name;
    say("written", [wanted, status]);
    for (let i = 0; status === "Good" && !seen.includes(wanted) && i < 100; i++) {
      await new Promise((done) => setTimeout(done, 50));
    }
  }
  say("seen", seen);
  await session.close();
  await client.disconnect();
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
