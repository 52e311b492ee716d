// run-upstream.mjs -- run one scenario under the unmodified upstream kernel.
//
// usage: node tests/oracle/run-upstream.mjs SCENARIO_DIR OUT.json[.gz]
//            [--bundles DIR] [--store DIR] [--trace FILE] [--slog FILE] [--worker PROGRAM]
//
//   --bundles   where the built bundles are, or go (build/bundles)
//   the others are upstream.mjs's options.
//
// OUT is the whole run, or, when its name ends in .gz, what is kept of it (stored.mjs).
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeRun } from './stored.mjs';
import { makeOracle } from './upstream.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const usage = () => {
    console.error('usage: node tests/oracle/run-upstream.mjs SCENARIO_DIR OUT.json[.gz] [options]');
    process.exit(2);
};

const parseArguments = argv => {
    const options = { bundles: path.join(root, 'build/bundles') };
    const rest = [];
    for (let i = 0; i < argv.length; i += 1) {
        if (argv[i].startsWith('--')) {
            const name = argv[i].slice(2);
            const known = ['bundles', 'store', 'trace', 'slog', 'worker'];
            if (!known.includes(name) || i + 1 >= argv.length) {
                usage();
            }
            i += 1;
            options[name] = path.resolve(argv[i]);
        } else {
            rest.push(argv[i]);
        }
    }
    if (rest.length !== 2) {
        usage();
    }
    const [scenario, out] = rest.map(name => path.resolve(name));
    return { ...options, scenario, out };
};

const main = async () => {
    const { scenario, out, bundles, ...options } = parseArguments(process.argv.slice(2));
    const oracle = await makeOracle({ bundles });
    const run = await oracle.run(scenario, options);
    writeRun(out, run);
    const { steps, cranks } = run;
    const failed = steps.filter(step => step.status && step.status !== 'fulfilled').length;
    console.error(
        `${run.scenario}: ${steps.length} steps, ${cranks.length} cranks, ${failed} not fulfilled`,
    );
};

main().then(
    () => process.exit(0),
    e => {
        console.error(e);
        process.exit(1);
    },
);
