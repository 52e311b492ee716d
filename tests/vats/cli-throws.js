// cli-throws.js -- a vat that cannot start.
export const buildRootObject = () => {
    throw Error('no root today');
};
harden(buildRootObject);
