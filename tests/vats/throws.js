// throws.js -- a vat that cannot be built.
export const buildRootObject = () => {
    throw Error('this vat does not want to live');
};
harden(buildRootObject);
