// vat.js -- a root whose methods go by symbols, and by texts that look like them.
/* global harden */

const tag = {
    [Symbol.for('passStyle')]: { value: 'remotable' },
    [Symbol.toStringTag]: { value: 'Alleged: root' },
};

export const buildRootObject = () => {
    let root;
    const answer = name => ({ value: (...args) => harden([name, ...args]), enumerable: true });
    root = harden(
        Object.create(harden(Object.create(Object.prototype, tag)), {
            bootstrap: { value: () => root, enumerable: true },
            '@@asyncIterator': answer('the text @@asyncIterator'),
            own: answer('the text own'),
            [Symbol.asyncIterator]: answer('Symbol.asyncIterator'),
            [Symbol.iterator]: answer('Symbol.iterator'),
            [Symbol.for('own')]: answer('Symbol.for("own")'),
            [Symbol.for('@@asyncIterator')]: answer('Symbol.for("@@asyncIterator")'),
        }),
    );
    return root;
};
harden(buildRootObject);
