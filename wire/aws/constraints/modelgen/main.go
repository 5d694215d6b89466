// Command modelgen makes the tables of wire/aws/constraints from the service models that botocore
// publishes (data/SERVICE/VERSION/service-2.json).
//
//	go run ./wire/aws/constraints/modelgen trim  FULL-MODEL.json EDITION > testdata/SERVICE.json
//	go run ./wire/aws/constraints/modelgen table testdata/SERVICE.json   > ../SERVICE.txt
//
// trim keeps of a model what constrains the input of an operation and notes EDITION, the release of
// botocore that it came from. table writes the table of a trimmed model. It knows the models' format and
// the tables'; what a constraint means is wire/aws's.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "modelgen:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 {
		return errors.New("usage: modelgen trim MODEL EDITION | modelgen table TRIMMED")
	}
	m, err := read(args[1])
	if err != nil {
		return err
	}
	switch {
	case args[0] == "trim" && len(args) == 3:
		m.Edition = args[2]
		b, err := json.MarshalIndent(m.trim(), "", " ")
		if err != nil {
			return err
		}
		_, err = out.Write(append(b, '\n'))
		return err
	case args[0] == "table" && len(args) == 2:
		text, err := m.table()
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text)
		return err
	}
	return fmt.Errorf("unknown command %q with %d arguments", args[0], len(args)-1)
}

func read(name string) (*model, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var m model
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &m, nil
}
