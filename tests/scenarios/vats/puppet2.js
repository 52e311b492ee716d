// puppet2.js -- the same puppet under another bundle ID: what puppets are upgraded to.
export { buildRootObject } from './puppet.js';
