// Not built yet.

import { put } from "../dom.js";
import { empty } from "../states.js";

put(document.getElementById("content"), empty("Not there yet", "Until then the API tells it: see /api/v1."));
