// Follows as it is told by FOLLOW (JSON: the options of connect) until every named video has ended, and prints what it
// is told, a line of JSON each.

import { connect } from "../../static/js/sora-live.js";

const { until, ...options } = JSON.parse(process.env.FOLLOW);
const print = (...told) => console.log(JSON.stringify(told));
const open = new Set(until);

function done({ videoId, externalVideoId, status }) {
  if (!["completed", "failed", "cancelled"].includes(status)) return;
  open.delete(videoId);
  open.delete(externalVideoId);
  if (open.size === 0) live.close();
}

const live = connect({
  ...options,
  on: {
    state: (word, transport) => print("state", word, transport),
    tasks: (tasks, { fresh }) => {
      for (const { videoId, seq, status } of tasks) print("task", videoId, seq, status, fresh);
      // Where it was resumed, the missed updates are still to come.
      if (fresh || live.transport === "polling") tasks.forEach(done);
    },
    update: (update) => {
      print("update", update.videoId, update.seq, update.status);
      done(update);
    },
    error: (error) => print("error", error.code),
    stopped: ({ reason }) => print("stopped", reason),
  },
});
