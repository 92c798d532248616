/** Starts the page: session, stream, model, first drawing. */
import "./platform/buffer.ts";
import "./style/tokens.css";
import "./style/frame.css";
import "./style/controls.css";
import "./style/panels.css";
import "./style/lists.css";
import "./map/map.css";
import "./pages/pages.css";
import "./style/small-screens.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { ModelContext } from "./context.ts";
import { follow } from "./data/feed.ts";
import { Model } from "./data/model.ts";
import { beginSession } from "./data/session.ts";
import { catchLinks } from "./route.ts";
import { applyTheme } from "./parts/theme.tsx";

/** Many changes a second are drawn a few times a second: nobody reads faster. */
const quietMs = 120;

const model = new Model({ soon: (run) => void setTimeout(() => requestAnimationFrame(run), quietMs), now: () => Date.now() });
applyTheme();
catchLinks();
render(
  <ModelContext.Provider value={model}>
    <App />
  </ModelContext.Provider>,
  document.getElementById("app") as HTMLElement,
);
const session = await beginSession();
if (session.kind === "none") model.setFeed({ kind: "refused", why: session.why });
else await follow({ record: (record) => model.take(record), state: (state) => model.setFeed(state), begin: () => model.begin() });
