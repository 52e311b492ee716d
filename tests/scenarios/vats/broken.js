// broken.js -- a bundle that cannot be evaluated.
throw Error('no module today');
