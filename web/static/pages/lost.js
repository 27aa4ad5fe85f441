// The page for addresses that nothing is at.

import { follow } from "../live.js";

follow([], () => {});
