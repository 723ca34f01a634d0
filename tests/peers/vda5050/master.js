// The master control of vda-5050-lib, which validates every message of the cart. argv: broker port, manufacturer,
// serial number. Drives the cart over a base that it extends, does an action, tries what must be refused, and prints
// one line for each thing that happens; "done" at the end.
const { MasterController, Topic, BlockingType } = require("vda-5050-lib");

const say = (...words) => console.log(words.join(" "));

async function main([port, manufacturer, serialNumber]) {
    const id = { manufacturer, serialNumber };
    const master = new MasterController(
        { interfaceName: "uagv", vdaVersion: "2.0.0", transport: { brokerUrl: `mqtt://127.0.0.1:${port}` } }, {});
    let online;
    const isOnline = new Promise((resolve) => { online = resolve; });
    await master.start();
    master.trackAgvs((subject, state) => { say("connection", state); if (state === "ONLINE") online(); });
    let states = 0;
    await master.subscribe(Topic.State, id, () => { states += 1; });
    await master.subscribe(Topic.Factsheet, id, (sheet) => say("factsheet", sheet.typeSpecification.seriesName));
    await isOnline;
    const position = (x) => ({ x, y: 0, mapId: "hall" });
    const node = (nodeId, sequenceId, x, released, actions = []) =>
        ({ nodeId, sequenceId, released, actions, nodePosition: position(x) });
    const edge = (edgeId, sequenceId, startNodeId, endNodeId, released) =>
        ({ edgeId, sequenceId, startNodeId, endNodeId, released, actions: [] });
    const pick = { actionId: "p1", actionType: "pick", blockingType: BlockingType.Hard, actionParameters: [] };
    const follow = (order) => new Promise((resolve, reject) => {
        const events = {
            onOrderProcessed: (error, canceled, active) => {
                if (active) return;
                resolve(error ? `refused ${error.errorType}` : canceled ? "canceled" : "finished");
            },
            onNodeTraversed: (at) => say("node", at.nodeId),
            onActionStateChanged: (state) => say("action", state.actionId, state.actionStatus),
        };
        master.assignOrder(id, order, events).catch(reject);
    });
    const first = follow({ orderId: "o1", orderUpdateId: 0,
        nodes: [node("a", 0, 0, true), node("b", 2, 1, true, [pick]), node("c", 4, 2, false)],
        edges: [edge("ab", 1, "a", "b", true), edge("bc", 3, "b", "c", false)] });
    const update = follow({ orderId: "o1", orderUpdateId: 1,
        nodes: [node("b", 2, 1, true, [pick]), node("c", 4, 2, true)], edges: [edge("bc", 3, "b", "c", true)] });
    say("order", await Promise.race([first, update]));
    say("far", await follow({ orderId: "o2", orderUpdateId: 0, nodes: [node("x", 0, 99, true)], edges: [] }));
    say("done", states);
    await master.stop();
    process.exit(0);
}

main(process.argv.slice(2)).catch((error) => {
    console.log("error", error);
    process.exit(1);
});
