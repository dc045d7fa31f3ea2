// This page is words alone: only the frame has buttons.

import "./page.js";
