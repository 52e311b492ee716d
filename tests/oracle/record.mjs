// record.mjs -- run scenarios under upstream's kernel, and keep the runs.
//
// usage: node tests/oracle/record.mjs NAME...      folders of tests/scenarios
//        node tests/oracle/record.mjs --missing    those without a run
//        node tests/oracle/record.mjs --all        all of them
//
// Writes tests/scenarios/NAME/upstream.json.gz.  Nothing else may.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeRun } from './stored.mjs';
import { makeOracle } from './upstream.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const top = path.join(root, 'tests/scenarios');
const fileOf = name => path.join(top, name, 'upstream.json.gz');

const chosen = argv => {
    const all = fs.readdirSync(top).filter(name => fs.existsSync(path.join(top, name, 'config.json')));
    if (argv[0] === '--all') {
        return all;
    }
    if (argv[0] === '--missing') {
        return all.filter(name => !fs.existsSync(fileOf(name)));
    }
    if (!argv.length || argv[0].startsWith('-')) {
        console.error('usage: node tests/oracle/record.mjs NAME... | --missing | --all');
        process.exit(2);
    }
    return argv;
};

const main = async () => {
    const names = chosen(process.argv.slice(2));
    const oracle = await makeOracle({ bundles: path.join(root, 'build/bundles') });
    let failed = 0;
    for (const name of names) {
        const began = Date.now();
        try {
            // eslint-disable-next-line no-await-in-loop
            const run = await oracle.run(path.join(top, name));
            writeRun(fileOf(name), run);
            const { size } = fs.statSync(fileOf(name));
            console.log(
                `${name}: ${run.steps.length} steps, ${run.cranks.length} cranks, ` +
                    `${(size / 1024).toFixed(1)} KB, ${((Date.now() - began) / 1000).toFixed(1)} s`,
            );
        } catch (e) {
            failed += 1;
            console.log(`${name}: FAILED ${e.message}`, e.cause ? `(${e.cause.stack || e.cause.message})` : '');
        }
    }
    return failed ? 1 : 0;
};

main().then(
    code => process.exit(code),
    e => {
        console.error(e);
        process.exit(1);
    },
);
