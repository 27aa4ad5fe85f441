// Listens to the API's stream, and shows in the header how the connection is.
//
//   follow(topics, act)      calls act() whenever one of these topics moved, at most once a second, and
//                            after each (re)connection; never while an earlier act() is still running
//
// The stream beats every 15 s: one that is silent for longer is dead, whatever the browser believes, and opened
// anew. A server with too many readers refuses it: then act() is called every 15 s, and the stream tried again.
//
// A hidden tab does not listen: browsers allow six connections to a server, and it catches up when it is shown.

const PAUSE_MS = 1_000;
const REFUSED_MS = 15_000;
const SILENCE_MS = 45_000;
const STATES = {
  waiting: "connecting",
  live: "live",
  lost: "connection lost, trying again",
  away: "database away",
  refused: "asking every 15 s",
};

export function follow(topics, act) {
  const runner = oneAtATime(act);
  const wanted = new Set(topics);
  let stream = null;
  let silence = null;

  function open() {
    if (stream || document.hidden) return;
    stream = new EventSource("/api/v1/stream");
    heard();
    stream.addEventListener("beat", heard);
    stream.addEventListener("changed", (event) => {
      heard();
      show("live");
      if (Object.keys(JSON.parse(event.data).topics).some((topic) => wanted.has(topic))) runner();
    });
    stream.addEventListener("away", () => {
      heard();
      show("away");
    });
    stream.addEventListener("error", () => {
      if (stream?.readyState === EventSource.CLOSED) refused();
      else show("lost");
    });
  }

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(reopen, SILENCE_MS);
  }

  function close() {
    clearTimeout(silence);
    stream?.close();
    stream = null;
  }

  function reopen() {
    close();
    show("lost");
    open();
  }

  function refused() {
    close();
    show("refused");
    runner();
    setTimeout(open, REFUSED_MS);
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
