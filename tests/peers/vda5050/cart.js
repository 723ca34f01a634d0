// A virtual cart of vda-5050-lib. argv: broker port, manufacturer, serial number. Says "ready" once it is online;
// "stop" on stdin says good-bye, killing it leaves its last will.
const { AgvController, VirtualAgvAdapter } = require("vda-5050-lib");

async function main([port, manufacturer, serialNumber]) {
    const cart = new AgvController(
        { manufacturer, serialNumber },
        { interfaceName: "uagv", vdaVersion: "2.0.0", transport: { brokerUrl: `mqtt://127.0.0.1:${port}` } },
        { agvAdapterType: VirtualAgvAdapter, publishVisualizationInterval: 200, publishStateInterval: 500 },
        { initialPosition: { mapId: "hall", x: 0, y: 0, theta: 0, lastNodeId: "start" }, vehicleSpeed: 20 },
    );
    await cart.start();
    console.log("ready");
    process.stdin.on("data", async (line) => {
        if (String(line).trim() === "stop") {
            await cart.stop();
            process.exit(0);
        }
    });
}

main(process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exit(1);
});
