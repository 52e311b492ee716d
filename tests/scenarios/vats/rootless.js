// rootless.js -- a bundle without buildRootObject.
export const nothing = true;
