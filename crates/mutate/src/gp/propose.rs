//! The operator *gp* as a search sees it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use toml::Table;

use super::{Gp, GpError, Settings};
use crate::brief::Brief;
use crate::kind::{Kind, Recipe, Workshop};
use crate::operator::{Operator, Request, Tray};
use crate::reason::{NO_MUTATION, Reason};
use crate::{Error, settings};

/// Typed node mutation on the syntax tree.
pub static KIND: Kind = Kind {
    name: "gp",
    about: "Typed node mutation on the Python syntax tree",
    weight: 1.0,
    settings: super::settings::COMMENTED,
    read: |settings| read(settings).map(|own| Box::new(own) as Box<dyn Recipe>),
};

fn read(settings: &Table) -> Result<Settings, Error> {
    settings::section(settings, KIND.name)
}

impl Settings {
    fn operator(&self, brief: &Brief) -> Result<Gp, Error> {
        Gp::new(self.clone(), brief).map_err(|e| match e {
            GpError::Setting { field, why, mend } => {
                let field = match field.starts_with("brief.") {
                    true => field,
                    false => format!("gp.{field}"),
                };
                Error::setting(&field, why, mend)
            }
            other => Error::setting("gp", other.to_string(), "mend it in the settings"),
        })
    }
}

impl Recipe for Settings {
    fn check(&self, brief: &Brief) -> Result<(), Error> {
        self.operator(brief).map(drop)
    }

    fn make(&self, workshop: &mut Workshop<'_>) -> Result<Box<dyn Operator>, Error> {
        Ok(Box::new(self.operator(workshop.brief)?))
    }
}

impl Operator for Gp {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let barren = |e: GpError| Reason::new(&NO_MUTATION, e.to_string());
        for (index, request) in requests.iter_mut().enumerate() {
            if stop.load(Relaxed) {
                break;
            }
            let streams = request.streams().into_iter().enumerate();
            let wanted = streams.filter(|(child, _)| request.wanted[*child]);
            // Children of a long program take long.
            let wanted = wanted.take_while(|_| !stop.load(Relaxed));
            let made = self.brood(request.parent, wanted, |child, made| {
                let program = made.map(|child| child.source).map_err(barren);
                tray.hand(index, child, program.into());
            });
            if let Err(e) = made {
                for child in (0..request.count()).filter(|child| request.wanted[*child]) {
                    tray.hand(index, child, Err(barren(e.clone())).into());
                }
            }
        }
        Ok(())
    }
}
