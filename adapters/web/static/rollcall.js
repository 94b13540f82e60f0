// Makes the pages live. Everything works without it: it only spares reloads. What comes from the server as data is
// shown by textContent; what comes as a page is parsed by the browser, which runs no script in it.
