// A WebSocket or an event stream without any cleverness: every frame as it is, and how it ended.

/** Opens the gateway's WebSocket. `told` gets { direction: "in" | "out" | "state", text, note, over }. Returns
 *  { send(text), close() }. */
export function openSocket(told) {
  const address = new URL("ws", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.onopen = () => told({ direction: "state", text: "open" });
  socket.onmessage = ({ data }) => told({ direction: "in", text: data });
  socket.onclose = ({ code, reason }) => told({ direction: "state", text: `closed ${code}${reason && ` ${reason}`}`, over: true });
  return {
    send(text) {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(text);
      told({ direction: "out", text });
    },
    close: () => socket.close(1000),
  };
}

const KINDS = ["subscribed", "update", "log", "reset"];

/** The same for the event stream at `path`, which says nothing back. It comes back by itself, as browsers do. */
export function openStream(path, told) {
  const source = new EventSource(new URL(path, document.baseURI));
  source.onopen = () => told({ direction: "state", text: "open" });
  source.onerror = () => {
    const over = source.readyState === EventSource.CLOSED;
    told({ direction: "state", text: over ? "closed" : "reconnecting", over });
  };
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ data, lastEventId }) => told({ direction: "in", text: data, note: `${kind} · ${lastEventId}` }));
  }
  return {
    close() {
      source.close();
      told({ direction: "state", text: "closed", over: true });
    },
  };
}
