// Listens to the API's stream, and shows in the header how the connection is.
//
//   follow(topics, act)      calls act() whenever one of these topics moved, at most once a second, and
//                            after each (re)connection; never while an earlier act() is still running
//
// A hidden tab does not listen: browsers allow six connections to a server, and it catches up when it is shown.

const PAUSE_MS = 1_000;
const STATES = {
  waiting: "connecting",
  live: "live",
  lost: "connection lost, trying again",
  away: "database away",
};

export function follow(topics, act) {
  const runner = oneAtATime(act);
  const wanted = new Set(topics);
  let stream = null;

  function open() {
    if (stream || document.hidden) return;
    stream = new EventSource("/api/v1/stream");
    stream.addEventListener("changed", (event) => {
      show("live");
      if (Object.keys(JSON.parse(event.data).topics).some((topic) => wanted.has(topic))) runner();
    });
    stream.addEventListener("away", () => {
      show("away");
    });
    stream.addEventListener("error", () => {
      show("lost");
      if (stream?.readyState === EventSource.CLOSED) reopen();
    });
  }

  function close() {
    stream?.close();
    stream = null;
  }

  function reopen() {
    close();
    setTimeout(open, 2 * PAUSE_MS);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

function show(state) {
  const place = document.getElementById("connection");
  if (place.dataset.state === state) return;
  place.dataset.state = state;
  place.textContent = STATES[state];
}

function oneAtATime(act) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      await act();
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    } while (again);
    running = false;
  };
}
