// Not built yet.

import { put } from "../dom.js";
import { empty } from "../states.js";

const content = document.getElementById("content");
content.setAttribute("aria-busy", "false");
put(content, empty("Not there yet", "Until then the API tells it: see /api/v1."));
